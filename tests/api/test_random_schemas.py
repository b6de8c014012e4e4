"""What the packaged model writes under a schema validates under `jsonschema`."""

from __future__ import annotations

import json

import jsonschema

from llamabox import Engine, EngineParams, FinishReason, GenerationParams
from tests.api.random_schemas import SchemaWriter

N_SCHEMAS = 500
N_PREDICT = 160


def test_outputs_validate() -> None:
    schemas = [SchemaWriter(seed).schema() for seed in range(N_SCHEMAS)]
    with Engine(None, EngineParams(n_ctx=8192, n_parallel=16, n_queue=0)) as engine:
        streams = [
            engine.stream(
                "Here is a value in JSON:\n",
                GenerationParams(
                    json_schema=json.dumps(schema), temperature=1.0, seed=seed, n_predict=N_PREDICT
                ),
            )
            for seed, schema in enumerate(schemas)
        ]
        completions = [stream.completion() for stream in streams]
    n_whole = 0
    for schema, completion in zip(schemas, completions, strict=True):
        if completion.finish_reason is FinishReason.LENGTH:
            continue
        assert completion.finish_reason is FinishReason.EOG, schema
        n_whole += 1
        validator = jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        errors = list(validator.iter_errors(json.loads(completion.text)))
        assert not errors, (schema, completion.text, errors[0].message)
    print(f"{N_SCHEMAS - n_whole} of {N_SCHEMAS} outputs were cut")
    assert n_whole > 0.9 * N_SCHEMAS
