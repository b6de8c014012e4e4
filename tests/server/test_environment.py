"""Environment variables for flags, and what wins: the command line, the environment, a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llamabox.server.cli import Command, flag_parser, parse
from llamabox.server.cli_env import SWITCHES, VALUES
from llamabox.sources import HubModel, UrlModel
from tests.server.flag_table import FLAGS, MORE, Flag
from tests.server.test_flags import read

ROWS = {
    name: flag
    for flag in (*[each for flags in FLAGS.values() for each in flags], *MORE)
    if isinstance(flag, Flag)
    for name in flag.names
}
OTHERS = {
    "--api-key": "k1,k2",
    "--backend-sampling": "off",
    "--cache-ram": "9",
    "--chat-template": "chatml",
    "--checkpoint-min-step": "64",
    "--ctx-checkpoints": "3",
    "--flash-attn": "off",
    "--hf-repo": "user/repo",
    "--hf-repo-draft": "user/repo",
    "--log-colors": "auto",
    "--n-cpu-moe": "2",
    "--n-gpu-layers": "3",
    "--n-predict": "12",
}
"""Values of flags that the table has none for."""
URL = "https://host/model.gguf"
TESTED_APART = ("--api-key-file", "--hf-file", "--mmproj", "--chat-template-file", "--defrag-thold")


def refusal(
    capsys: pytest.CaptureFixture[str], argv: list[str], environ: dict[str, str] | None = None
) -> str:
    with pytest.raises(SystemExit) as caught:
        parse(argv, environ or {})
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def same(one: Command, other: Command) -> bool:
    return (one.config, one.log, one.action) == (other.config, other.log, other.action)


def test_every_variable_has_a_flag() -> None:
    flags = flag_parser().flags
    names = {*VALUES.values(), *(name for pair in SWITCHES.values() for name in pair if name)}
    assert names <= set(flags)


@pytest.mark.parametrize(
    "variable", [name for name, flag in VALUES.items() if flag not in TESTED_APART]
)
def test_a_variable_is_as_its_flag(variable: str) -> None:
    flag = VALUES[variable]
    value = OTHERS.get(flag) or str(ROWS[flag].value)
    needs = list(ROWS[flag].needs) if flag in ROWS else []
    assert same(parse(needs, {variable: value}), parse([*needs, flag, value], {}))
    assert not same(parse(needs, {variable: value}), parse(needs, {}))


@pytest.mark.parametrize(
    "variable", [name for name, (_, negative) in SWITCHES.items() if negative is not None]
)
def test_a_variable_of_a_switch_has_both_directions(variable: str) -> None:
    flag, negative = SWITCHES[variable]
    assert negative is not None
    opposite = variable.replace("LLAMA_ARG_", "LLAMA_ARG_NO_")
    for value in ("1", "true", "ON"):
        assert same(parse([], {variable: value}), parse([flag], {}))
    for environ in ({variable: "0"}, {variable: "off"}, {opposite: ""}, {opposite: "1"}):
        assert same(parse([], environ), parse([negative], {}))
    assert not same(parse([flag], {}), parse([negative], {}))


@pytest.mark.parametrize(
    ("variable", "flag"),
    [
        ("LLAMA_ARG_FLASH_ATTN", "--flash-attn"),
        ("LLAMA_ARG_REASONING", "--reasoning"),
        ("LLAMA_ARG_LOG_COLORS", "--log-colors"),
        ("LLAMA_ARG_BACKEND_SAMPLING", "--backend-sampling"),
    ],
)
def test_a_switch_of_three_takes_any_word_for_them(variable: str, flag: str) -> None:
    words = {"on": ("1", "true", "enabled"), "off": ("0", "False"), "auto": ("-1", "AUTO")}
    for word, others in words.items():
        for other in others:
            assert same(parse([], {variable: other}), parse([flag, word], {}))
    assert not same(parse([flag, "on"], {}), parse([flag, "off"], {}))


def test_a_false_switch_without_an_opposite_is_as_none() -> None:
    assert parse([], {"LLAMA_ARG_ENDPOINT_METRICS": "1"}).config.metrics
    assert not parse([], {"LLAMA_ARG_ENDPOINT_METRICS": "false"}).config.metrics


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"LLAMA_ARG_PORT": "x"}, "LLAMA_ARG_PORT: invalid int value: 'x'"),
        ({"LLAMA_ARG_CTX_SIZE": "-5"}, "LLAMA_ARG_CTX_SIZE: -5 is not within 0"),
        ({"LLAMA_ARG_MLOCK": "perhaps"}, "LLAMA_ARG_MLOCK: 'perhaps' is none of on, 1"),
        ({"LLAMA_ARG_EMBEDDINGS": "1"}, "LLAMA_ARG_EMBEDDINGS: there are no embeddings"),
        ({"LLAMA_ARG_MMPROJ": "x.gguf"}, "LLAMA_ARG_MMPROJ: prompts have text only"),
        ({"LLAMA_ARG_API_KEY_FILE": "/no/such"}, "LLAMA_ARG_API_KEY_FILE: "),
        ({"LLAMA_ARG_HF_FILE": "x"}, "LLAMA_ARG_HF_FILE: needs the repository"),
        ({"LLAMA_ARG_TENSOR_SPLIT": "0,0"}, "LLAMA_ARG_TENSOR_SPLIT: all shares are 0"),
        ({"LLAMA_API_KEY": ""}, "LLAMA_API_KEY: is empty"),
        ({"LLAMA_ARG_ALIAS": "--"}, "LLAMA_ARG_ALIAS: -- is no value"),
        ({"LLAMA_ARG_CHAT_TEMPLATE": "{%if%}"}, "LLAMA_ARG_CHAT_TEMPLATE: the chat template does"),
        ({"LLAMA_ARG_SSL_KEY_FILE": "x"}, "LLAMA_ARG_SSL_KEY_FILE: not done here: put a reverse"),
        ({"LLAMA_ARG_SSL_CERT_FILE": "x"}, "LLAMA_ARG_SSL_CERT_FILE: not done here"),
        ({"LLAMA_ARG_API_PREFIX": "/x"}, "LLAMA_ARG_API_PREFIX: not done here"),
        ({"LLAMA_ARG_CHAT_TEMPLATE_FILE": "/no/such"}, "LLAMA_ARG_CHAT_TEMPLATE_FILE: "),
    ],
)
def test_an_unreadable_variable_is_named(
    environ: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"error: environment variable {said}" in refusal(capsys, [], environ)


def test_variables_of_deprecated_flags_warn() -> None:
    assert len(parse([], {"LLAMA_ARG_DEFRAG_THOLD": "0.1"}).warnings) == 1


def test_variables_that_stand_for_nothing_warn() -> None:
    strange = {"LLAMA_ARG_POOLING": "cls", "LLAMA_ARG_NO_MLOCK": "1", "LLAMA_ARG_ZZZ": ""}
    known = {"LLAMA_ARG_NO_MMAP": "1", "LLAMA_ARG_API_PREFIX": "", "LLAMA_ARG_PORT": "5"}
    command = parse(["-dt", "0.1"], {**strange, **known, "LLAMA_ARG_DEFRAG_THOLD": "1"})
    assert [line.split(": ")[0] for line in command.warnings] == [
        "-dt",
        "--defrag-thold",
        *(f"environment variable {name}" for name in sorted(strange)),
    ]
    assert parse([], {**known, "PATH": "/bin"}).warnings == ()


def test_variables_that_add_up_do() -> None:
    environ = {
        "LLAMA_ARG_CPU_MOE": "1",
        "LLAMA_ARG_N_CPU_MOE": "2",
        "LLAMA_ARG_OVERRIDE_TENSOR": "a=CPU",
    }
    assert same(parse([], environ), parse(["-ot", "a=CPU", "-ncmoe", "2", "-cmoe"], {}))
    assert same(parse(["-ot", "b=CPU"], environ), parse(["-ot", "b=CPU"], {}))


def test_what_is_refused_is_where_the_value_stands(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, ["-c", "-5"], {"LLAMA_ARG_CTX_SIZE": "4096"})
    assert "argument --ctx-size: -5 is not within" in line
    environ = {"LLAMA_ARG_DRAFT_MAX": "5", "LLAMA_ARG_SPEC_DRAFT_N_MAX": "-9"}
    assert "variable LLAMA_ARG_SPEC_DRAFT_N_MAX: -9" in refusal(capsys, [], environ)


def write(folder: Path, **sections: object) -> str:
    path = folder / "server.json"
    path.write_text(json.dumps(sections))
    return str(path)


@pytest.mark.parametrize(
    ("field", "variable", "flag", "where"),
    [
        ({"model": {"n_ctx": 100}}, "LLAMA_ARG_CTX_SIZE", "-c", "config.engine_params.n_ctx"),
        ({"server": {"port": 100}}, "LLAMA_ARG_PORT", "--port", "config.port"),
        ({"model": {"threads": 100}}, "LLAMA_ARG_THREADS", "-t", "config.engine_params.n_threads"),
        (
            {"model": {"n_gpu_layers": 100}},
            "LLAMA_ARG_N_GPU_LAYERS",
            "-ngl",
            "config.model_params.n_gpu_layers",
        ),
    ],
)
def test_the_command_line_wins_over_the_environment_over_the_file(
    tmp_path: Path, field: dict[str, object], variable: str, flag: str, where: str
) -> None:
    file = ["-C", write(tmp_path, **field)]
    environ = {variable: "200"}
    assert read(parse(file, {}), where) == 100
    assert read(parse(file, environ), where) == 200
    assert read(parse([*file, flag, "300"], {}), where) == 300
    assert read(parse([flag, "300"], environ), where) == 300
    assert read(parse([*file, flag, "300"], environ), where) == 300


def test_a_switch_may_undo_what_is_below_it(tmp_path: Path) -> None:
    file = ["-C", write(tmp_path, model={"use_mmap": True, "swa_full": True})]
    assert parse(file, {}).config.model_params.use_mmap
    assert parse(file, {"LLAMA_ARG_NO_MMAP": "1"}).config.model_params.use_mmap is False
    assert parse([*file, "--mmap"], {"LLAMA_ARG_MMAP": "0"}).config.model_params.use_mmap
    environ = {"LLAMA_ARG_LOAD_MODE": "mlock"}
    assert parse(file, environ).config.model_params.use_mlock
    assert parse([*file, "--mmap"], environ).config.model_params.use_mmap


def test_one_way_to_name_the_model_puts_those_below_aside(tmp_path: Path) -> None:
    file = ["-C", write(tmp_path, model={"path": "file.gguf"})]
    environ = {"LLAMA_ARG_HF_REPO": "user/repo", "LLAMA_ARG_HF_FILE": "x.gguf"}
    by_file, by_environment = parse(file, {}).config, parse(file, environ).config
    assert (by_file.model, by_file.hub_model) == (Path("file.gguf"), None)
    assert by_environment.model is None
    assert by_environment.hub_model is not None
    assert by_environment.hub_model.file == "x.gguf"
    by_flag = parse([*file, "-m", "flag.gguf"], environ).config
    assert (by_flag.model, by_flag.hub_model) == (Path("flag.gguf"), None)


@pytest.mark.parametrize(
    ("variable", "flags", "expected"),
    [
        ("LLAMA_ARG_MODEL_URL", [], (None, UrlModel(url=URL))),
        ("LLAMA_ARG_MODEL_URL", ["-m", "flag.gguf"], (Path("flag.gguf"), None)),
        ("LLAMA_ARG_MODEL_URL", ["-hf", "a/b"], (None, HubModel(repo="a/b"))),
        ("LLAMA_ARG_HF_REPO", ["-mu", URL], (None, UrlModel(url=URL))),
        ("LLAMA_ARG_MODEL", ["-mu", URL], (None, UrlModel(url=URL))),
    ],
)
def test_a_url_is_one_of_these_ways(
    tmp_path: Path, variable: str, flags: list[str], expected: tuple[Path | None, Any]
) -> None:
    value = URL if variable.endswith("URL") else "user/repo"
    config = parse([*flags, "-C", write(tmp_path, model={"path": "file.gguf"})], {variable: value})
    assert (config.config.model, config.config.hub_model) == expected


def test_two_models_of_one_layer_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"LLAMA_ARG_MODEL_URL": URL, "LLAMA_ARG_HF_REPO": "a/b"}
    with pytest.raises(SystemExit) as stopped:
        parse([], environ)
    assert stopped.value.code == 2
    assert "LLAMA_ARG_MODEL_URL: another model is given too" in capsys.readouterr().err


def test_repeated_flags_replace_the_variable() -> None:
    environ = {"LLAMA_API_KEY": "a,b"}
    assert parse([], environ).config.api_keys == ("a", "b")
    assert parse(["--api-key", "c", "--api-key", "d"], environ).config.api_keys == ("c", "d")


def test_keys_come_from_a_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    path.write_text("# of the clients\none\n\n two \n  # three\n")
    assert parse(["--api-key-file", str(path)], {}).config.api_keys == ("one", "two")
    path.write_text("\n# none\n")
    line = refusal(capsys, ["--api-key-file", str(path)])
    assert "argument --api-key-file:" in line
    assert "has no keys" in line


def test_the_mask_may_be_the_name_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, server={"port": 5})
    assert parse(["-C", path], {}).config.port == 5
    plain = tmp_path / "ff"
    plain.write_text(Path(path).read_text())
    assert parse(["--cpu-mask", str(plain)], {}).config.port == 5
    assert "are two files" in refusal(capsys, ["-C", path, "--config", path])
    assert "argument --config:" in refusal(capsys, ["-C", "missing.json"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-C xyz", "--cpu-mask: 'xyz' is not a hexadecimal mask"),
        ("-C 0", "--cpu-mask: 0 is not a mask"),
        ("-Cb 1" + "0" * 100, "--cpu-mask-batch: has none of the CPUs of this process"),
        ("-Cr 500-511", "--cpu-range: has none of the CPUs of this process"),
        ("-Cr 3", "'3' is not a range"),
        ("-Crb 5-2", "not a range within"),
        ("--prio 4", "not within -1 to 3"),
        ("--poll 101", "not within 0 to 100"),
        ("--cpu-strict 2", "neither 0 nor 1"),
        ("-devd A", "--device-draft: there is no draft model; --model-draft names it"),
        ("-ngld 3", "--gpu-layers-draft: there is no draft model"),
        ("-md d -ngld 9999999999", "--gpu-layers-draft: 9999999999 is not within"),
        ("--cache-disk d -cram 0", "--cache-disk: needs some --cache-ram"),
        ("--draft-max 2 --draft-min 5", "--draft-min: 5 is above the --draft-max of 2"),
        ("--tokens-per-second-per-key", "needs --tokens-per-second"),
        ("-ctv q8_0 --no-flash-attn", "--cache-type-v: q8_0 needs --"),
        ("-ctk q8_0 --context-shift", "as --context-shift has to"),
        ("-ctk q2_k", "invalid choice: 'q2_k'"),
        ("--rope-scale 0", "'0' is not a number above 0"),
        ("--yarn-beta-fast -3", "--yarn-beta-fast: -3.0 is not within"),
        ("--override-kv a=int:x", "'x' is not of the type int"),
        ("--override-kv a=list:x", "none of the types int, float, bool, str"),
        ("--override-kv a", "not KEY=TYPE:VALUE"),
        ("-ot a", "not PATTERN=BUFFER_TYPE"),
        ("-ot (=CPU", "'('"),
        ("-ts 1,x", "not a list of numbers"),
        ("-l 5", "'5' is not like 15043+1"),
        ("-l 5+nan", "is not like"),
        ("--rpc here", "'here' is not host:port"),
        ("-dev A,", "has an empty name"),
        ("--conn-idle 0", "--conn-idle: 0 is not 1 or more"),
        ("--sampling-seq kz", "stands for no sampler"),
        ("--rope-freq-scale -1", "--rope-freq-scale: -1.0"),
    ],
)
def test_a_wrong_value_names_its_flag(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(capsys, words.split())
