"""The command line: flags to configuration, and what it says when they are wrong."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llamabox import EngineParams, GenerationParams, ModelParams, __version__
from llamabox.params import MAX_MIB, MIN_CHECKPOINT_STEP
from llamabox.server.cli import Action, flag_parser, parse
from llamabox.server.config import ServerConfig
from llamabox.server.log import LogConfig

GROUPS = ("general:", "server:", "server/completion:", "server/completion/speculative:")


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line that a wrong command line gets, with status 2."""
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_without_flags_everything_has_its_default() -> None:
    command = parse([])
    assert (command.action, command.config) == (Action.SERVE, ServerConfig())
    assert (command.log, command.warnings) == (LogConfig(), ())


def test_every_flag_reaches_the_configuration() -> None:
    command = parse(
        "-m m.gguf -a name -c 512 -np 3 -b 64 -ub 32 -t 2 -tb 5 -ngl 7 -s 11 -n 99 "
        "--threads-sampling 3 --host 0.0.0.0 --port 81 --metrics "
        "--temp 0.5 --top-k 5 --top-p 0.6 --min-p 0.2 "
        "--repeat-penalty 1.1 --repeat-last-n 32 --presence-penalty 0.3 --frequency-penalty 0.4 "
        "--jinja --api-key a,b --api-key c -to 30 --threads-http 6 --no-warmup -v".split()
    )
    assert command.log.level == logging.DEBUG
    assert command.config == ServerConfig(
        model=Path("m.gguf"),
        alias="name",
        host="0.0.0.0",
        port=81,
        timeout=30,
        n_http_threads=6,
        api_keys=("a", "b", "c"),
        metrics=True,
        model_params=ModelParams(n_gpu_layers=7),
        engine_params=EngineParams(
            n_ctx=512,
            n_parallel=3,
            n_batch=64,
            n_ubatch=32,
            n_threads=2,
            n_threads_batch=5,
            n_threads_sampling=3,
            warmup=False,
        ),
        defaults=GenerationParams(
            n_predict=99,
            seed=11,
            temperature=0.5,
            top_k=5,
            top_p=0.6,
            min_p=0.2,
            repeat_penalty=1.1,
            repeat_last_n=32,
            presence_penalty=0.3,
            frequency_penalty=0.4,
        ),
    )


def test_every_sampling_flag_reaches_the_defaults() -> None:
    command = parse(
        "--top-nsigma 1.5 --typical 0.9 --xtc-probability 0.5 --xtc-threshold 0.2 "
        "--dynatemp-range 0.3 --dynatemp-exp 2 --dry-multiplier 0.8 --dry-base 2 "
        "--dry-allowed-length 3 --dry-penalty-last-n 100 --mirostat 2 --mirostat-lr 0.2 "
        "--mirostat-ent 4 --samplers top_k;temp".split()
    )
    assert command.config.defaults == GenerationParams(
        top_n_sigma=1.5,
        typical_p=0.9,
        xtc_probability=0.5,
        xtc_threshold=0.2,
        dynatemp_range=0.3,
        dynatemp_exponent=2.0,
        dry_multiplier=0.8,
        dry_base=2.0,
        dry_allowed_length=3,
        dry_penalty_last_n=100,
        mirostat=2,
        mirostat_eta=0.2,
        mirostat_tau=4.0,
        samplers=("top_k", "temperature"),
    )
    assert parse(["--sampling-seq", "kt"]).config.defaults.samplers == ("top_k", "temperature")


@pytest.mark.parametrize("argv", [("--samplers", "top_k;nope"), ("--sampling-seq", "k?")])
def test_an_unknown_sampler_is_named(capsys: pytest.CaptureFixture[str], argv: tuple[str]) -> None:
    assert "no sampler" in refusal(capsys, *argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "auto"),
        (["--kv-layout", "partitioned"], "partitioned"),
        (["-kvu"], "unified"),
        (["--kv-unified"], "unified"),
        (["--no-kv-unified"], "partitioned"),
        (["-kvu", "--kv-layout", "auto"], "auto"),
    ],
)
def test_the_layout_of_the_cells_can_be_chosen(argv: list[str], expected: str) -> None:
    assert parse(argv).config.engine_params.kv_layout == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["-fa"], "on"),
        (["-fa", "1"], "on"),
        (["-fa", "TRUE"], "on"),
        (["-fa", "off"], "off"),
        (["-fa", "disabled"], "off"),
        (["-fa", "-1"], "auto"),
        (["--no-flash-attn"], "off"),
        ([], "auto"),
    ],
)
def test_flash_attention_can_be_chosen(argv: list[str], expected: str) -> None:
    assert parse(argv).config.engine_params.flash_attention == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [(["-bs"], "on"), (["--backend-sampling", "off"], "off"), ([], "auto")],
)
def test_backend_sampling_can_be_chosen(argv: list[str], expected: str) -> None:
    assert parse(argv).config.engine_params.backend_sampling == expected


def test_the_queue_and_latency_flags_reach_the_engine() -> None:
    argv = ["--queue-max", "5", "--target-itl", "20", "--preempt-ram", "8"]
    params = parse(argv).config.engine_params
    assert (params.n_queue, params.target_itl, params.preempt_ram) == (5, 0.02, 8)


def test_the_flags_of_the_second_tier_reach_the_engine() -> None:
    argv = ["--cache-ram", "64", "--cache-disk", "/tmp/x", "--cache-disk-max", "9"]
    params = parse([*argv, "--cache-min-tokens", "7"]).config.engine_params
    assert (params.cache_ram, params.cache_disk) == (64, "/tmp/x")
    assert (params.cache_disk_max, params.cache_min_tokens) == (9, 7)


def test_the_flags_of_memories_that_cannot_be_cut_reach_the_engine() -> None:
    argv = ["--swa-full", "--checkpoint-ram", "8", "-ctxcp", "5", "-cms", "64"]
    params = parse(argv).config.engine_params
    assert (params.swa_full, params.checkpoint_ram) == (True, 8)
    assert (params.ctx_checkpoints, params.checkpoint_min_step) == (5, 64)
    assert not parse([]).config.engine_params.swa_full


def test_long_names_take_underscores_and_equal_signs() -> None:
    config = parse(["--ctx_size=512", "--top_k", "3", "--alias=a_b"]).config
    assert config.engine_params.n_ctx == 512
    assert config.defaults.top_k == 3
    assert config.alias == "a_b"


def test_numbers_mean_what_they_do_to_llama_server() -> None:
    config = parse("-t 0 -tb 0 -cram -1 -cms 0 -ngl -2 --seed 4294967295".split()).config
    assert config.defaults.seed == GenerationParams().seed
    params = config.engine_params
    assert (params.n_threads, params.n_threads_batch) == (None, None)
    assert params.cache_ram == MAX_MIB
    assert params.checkpoint_min_step == MIN_CHECKPOINT_STEP
    assert config.model_params.n_gpu_layers == -1


def test_minus_one_leaves_the_threads_to_the_engine() -> None:
    params = parse("-t -1 -tb -1 --threads-sampling -1".split()).config.engine_params
    assert (params.n_threads, params.n_threads_batch, params.n_threads_sampling) == (None,) * 3


def test_a_value_may_begin_with_a_dash() -> None:
    argv = ["-r", "--END--", "--api-key", "-abc", "-r", "--a_b", "-n", "-1", "--alias", "-m"]
    config = parse(argv, {}).config
    assert config.defaults.stop == ("--END--", "--a_b")
    assert (config.api_keys, config.defaults.n_predict) == (("-abc",), -1)
    assert (config.alias, config.model) == ("-m", None)


@pytest.mark.parametrize("key", ["", " ", ","])
def test_an_empty_key_is_refused(capsys: pytest.CaptureFixture[str], key: str) -> None:
    assert "argument --api-key: is empty" in refusal(capsys, "--api-key", key)


def test_the_contents_of_files_are_looked_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    for flag, text, said in (
        ("--json-schema-file", "{bad", "is not JSON"),
        ("--chat-template-file", "{% if %}", "does not compile"),
        ("--chat-template-file", " \n", "is empty"),
    ):
        path.write_text(text)
        line = refusal(capsys, flag, str(path))
        assert f"argument {flag}: " in line
        assert said in line


def test_the_help_tells_which_keys_cannot_be_shifted() -> None:
    flags = flag_parser().flags
    assert "after f16 cannot be shifted" in (flags["-ctk"].help or "")
    assert "after bf16 need flash" in (flags["-ctv"].help or "")


def test_a_template_by_name_and_by_file(tmp_path: Path) -> None:
    assert "<|im_start|>" in (parse(["--chat-template", "chatml"]).config.chat_template or "")
    path = tmp_path / "chat.jinja"
    path.write_text("{{ messages[0].content }}")
    config = parse(["--jinja", "--chat-template-file", str(path)]).config
    assert config.chat_template == "{{ messages[0].content }}"


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--ctxsize", "--ctx-size"),
        ("--n_paralel=3", "--parallel"),
        ("--temperatur", "--temp"),
        ("-nglx", "-ngl"),
        ("-tsx", "-t"),
        ("-cx", "-c"),
        ("--xyzzy", "--"),
    ],
)
def test_an_unknown_flag_names_the_nearest(
    capsys: pytest.CaptureFixture[str], flag: str, nearest: str
) -> None:
    line = refusal(capsys, flag)
    assert line.startswith(
        f"llamabox: error: there is no flag {flag.partition('=')[0]}".replace("_", "-")
    )
    assert f"the nearest is {nearest}" in line


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("--port 70000", "--port: 70000 is not within 0 to 65535"),
        ("--port x", "--port: invalid int value: 'x'"),
        ("--target-itl x", "--target-itl: 'x' is not a number"),
        ("-fa perhaps", "--flash-attn: 'perhaps' is none of on, 1, true"),
        ("-rea maybe", "--reasoning: 'maybe' is none of on, 1, true"),
        ("--timeout -1", "--timeout: -1 is not 0 or more"),
        ("--threads-http 0", "--threads-http: 0 is neither -1 nor 1 or more"),
        ("-c -1", "--ctx-size: -1 is not within 0"),
        ("-np 0", "--parallel: 0 is not within 1 to 256"),
        ("-t 600", "--threads: 600 is not within 1 to 512"),
        ("--threads-sampling 0", "--threads-sampling: 0 is not within 1"),
        ("-n -2", "--predict: -2 is not within -1"),
        ("-s -2", "--seed: -2 is not"),
        ("--top-p 2", "--top-p: 2.0 is not within 0 to 1"),
        ("--temp nan", "--temp: nan is not a number"),
        ("--chat-template nosuch", "--chat-template: 'nosuch' is neither Jinja nor one of bailing"),
        ("--chat-template-file /no/such/file", "--chat-template-file: "),
        ("-m", "expected one argument"),
        ("-r --", "argument -r: -- is no value"),
        ("--port --host", "--port: invalid int value: '--host'"),
        ("-j {bad", "--json-schema: is not JSON: "),
        ("--chat-template {%if%}", "--chat-template: the chat template does not compile: "),
        (
            '--chat-template-kwargs {"messages":1}',
            "--chat-template-kwargs: messages is no variable",
        ),
        (
            "-ctk bf16 --cache-reuse 16",
            "--cache-type-k: bf16 keys cannot be moved, as --cache-reuse",
        ),
        ("-ctk q8_0 --context-shift", "--cache-type-k: q8_0 keys cannot be moved, as --context-sh"),
        ("model.gguf", "unrecognized arguments: model.gguf"),
    ],
)
def test_a_wrong_value_names_its_flag(
    capsys: pytest.CaptureFixture[str], argv: str, said: str
) -> None:
    assert said in refusal(capsys, *argv.split())


@pytest.mark.parametrize("flag", ["-h", "--help", "--usage"])
def test_the_help_has_every_group(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([flag])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: llamabox [options]\n")
    for group in GROUPS:
        assert f"\n{group}\n" in text
    assert "-c,    --ctx-size N" in text


@pytest.mark.parametrize(
    ("flag", "params", "name"),
    [
        ("--port", ServerConfig(), "port"),
        ("--timeout", ServerConfig(), "timeout"),
        ("--ctx-size", EngineParams(), "n_ctx"),
        ("--parallel", EngineParams(), "n_parallel"),
        ("--batch-size", EngineParams(), "n_batch"),
        ("--ubatch-size", EngineParams(), "n_ubatch"),
        ("--gpu-layers", ModelParams(), "n_gpu_layers"),
        ("--n-predict", GenerationParams(), "n_predict"),
        ("--seed", GenerationParams(), "seed"),
        ("--temp", GenerationParams(), "temperature"),
        ("--top-k", GenerationParams(), "top_k"),
        ("--top-p", GenerationParams(), "top_p"),
        ("--min-p", GenerationParams(), "min_p"),
        ("--repeat-last-n", GenerationParams(), "repeat_last_n"),
        ("--repeat-penalty", GenerationParams(), "repeat_penalty"),
        ("--presence-penalty", GenerationParams(), "presence_penalty"),
        ("--frequency-penalty", GenerationParams(), "frequency_penalty"),
    ],
)
def test_the_help_tells_the_real_defaults(
    capsys: pytest.CaptureFixture[str], flag: str, params: object, name: str
) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    shown = re.search(rf"{flag}\b.*?\(default: (-?[\d.]+)", text)
    assert shown is not None
    assert float(shown.group(1)) == getattr(params, name)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"llamabox {__version__} (llama-cpp-python 0.")


def test_the_help_fits_a_screen() -> None:
    assert max(map(len, flag_parser().format_help().splitlines())) <= 125


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_loads_neither_llama_cpp_nor_sanic(flag: str) -> None:
    code = (
        "import sys\n"
        "from llamabox.server.__main__ import main\n"
        "try: main([sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "loaded = {'llama_cpp', 'sanic', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, flag], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_system_info_and_devices() -> None:
    for flag, said in (("--system-info", "CPU"), ("--list-devices", "Available devices:")):
        result = subprocess.run(
            [sys.executable, "-m", "llamabox", flag], capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert said in result.stdout
