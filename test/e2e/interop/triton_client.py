"""Calls a server with the real tritonclient and checks every answer.

    python triton_client.py GRPC_ADDRESS HTTP_ADDRESS

The server has models that give their input back: echo_fp32 [-1, 16], echo_TYPE [-1, 4] for every type,
image [-1, 224, 224, 3]. Prints one line for each group of checks; ends with "ALL OK".
"""

import queue
import sys
import threading

import numpy as np
import tritonclient.grpc as tg
import tritonclient.grpc.aio as tga
import tritonclient.http as th
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

GRPC, HTTP = sys.argv[1:3]
rng = np.random.default_rng(1)


def fails(call, *texts, status=None):
    try:
        call()
    except InferenceServerException as error:
        for text in texts:
            assert text in error.message(), f"{text!r} not in {error.message()!r}"
        if status is not None:
            assert error.status() == status, f"{error.status()!r} is not {status!r}"
        return
    raise AssertionError("the call succeeded")


def inputs(module, name, array, datatype=None, **options):
    tensor = module.InferInput(name, list(array.shape), datatype or np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array, **options)
    return [tensor]


def done(what):
    print("ok", what, flush=True)


def health(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("echo_fp32") and client.is_model_ready("echo_fp32", "1")
    assert not client.is_model_ready("no_such_model")


def datatypes():
    yield "BOOL", rng.integers(0, 2, (3, 4)).astype(bool)
    for bits in (8, 16, 32, 64):
        for kind in ("INT", "UINT"):
            info = np.iinfo(f"{kind.lower()}{bits}")
            top = min(info.max, 2**53 - 1)
            array = rng.integers(max(info.min, -top), top, (3, 4), dtype=np.int64 if kind == "INT" else np.uint64)
            yield f"{kind}{bits}", array.astype(info.dtype)
    for bits in (16, 32, 64):
        yield f"FP{bits}", rng.standard_normal((3, 4)).astype(f"float{bits}")
    yield "BYTES", np.array([f"s{i}\u00e4".encode() * i for i in range(12)], dtype=np.object_).reshape(3, 4)


def same(result, name, array):
    got = result.as_numpy(name)
    if array.dtype == np.object_ and isinstance(got.flat[0], str):  # as JSON has it
        array = np.vectorize(bytes.decode, otypes=[object])(array)
    assert got is not None and got.shape == array.shape and (got == array).all(), (got, array)


grpc = tg.InferenceServerClient(GRPC)
http = th.InferenceServerClient(HTTP, concurrency=8)

health(grpc)
health(http)
done("health")

# Metadata, configuration, statistics.
meta = grpc.get_server_metadata()
assert meta.name == "triton" and "binary_tensor_data" in meta.extensions
assert http.get_server_metadata()["name"] == "triton"
model = grpc.get_model_metadata("echo_fp32")
assert list(model.inputs[0].shape) == [-1, 16] and list(model.versions) == ["1"]
assert http.get_model_metadata("echo_fp32")["inputs"][0]["shape"] == [-1, 16]
config = grpc.get_model_config("echo_fp32").config
assert config.name == "echo_fp32" and config.max_batch_size > 0
assert config.input[0].data_type == 11 and list(config.input[0].dims) == [16]
assert grpc.get_model_config("echo_fp32", as_json=True)["config"]["max_batch_size"] > 0
assert http.get_model_config("echo_fp32")["max_batch_size"] == config.max_batch_size
for client in (grpc, http):
    fails(lambda: client.get_model_metadata("nothing"), "Request for unknown model: 'nothing' is not found")
    fails(lambda: client.get_model_config("nothing"), "Request for unknown model: 'nothing' is not found")
fails(lambda: grpc.get_model_config("nothing"), status="StatusCode.NOT_FOUND")
fails(lambda: http.get_model_config("nothing"), status="404")
done("metadata")

# Every datatype, both wires, binary and JSON.
for datatype, array in datatypes():
    name = f"echo_{datatype.lower()}"
    if datatype == "FP32":
        array = np.resize(array, (3, 16))
    same(grpc.infer(name, inputs(tg, "INPUT0", array, datatype), request_id="q"), "OUTPUT0", array)
    for binary_in in (True, False):
        for binary_out in (True, False):
            if datatype == "FP16" and not (binary_in and binary_out):
                continue
            wanted = [th.InferRequestedOutput("OUTPUT0", binary_data=binary_out)]
            tensors = inputs(th, "INPUT0", array, datatype, binary_data=binary_in)
            result = http.infer(name, tensors, outputs=wanted, request_id="r")
            same(result, "OUTPUT0", array)
            assert result.get_response()["id"] == "r"
done("datatypes")

# Compression.
ramp = np.arange(16 * 512, dtype=np.float32).reshape(512, 16)
for algorithm in ("gzip", "deflate"):
    same(grpc.infer("echo_fp32", inputs(tg, "INPUT0", ramp), compression_algorithm=algorithm), "OUTPUT0", ramp)
    for answer in (None, "gzip", "deflate"):
        result = http.infer(
            "echo_fp32",
            inputs(th, "INPUT0", ramp),
            request_compression_algorithm=algorithm,
            response_compression_algorithm=answer,
        )
        same(result, "OUTPUT0", ramp)
done("compression")

images = rng.standard_normal((32, 224, 224, 3)).astype(np.float32)

# Parameters, sequences, priorities, timeouts.
for client, module in ((grpc, tg), (http, th)):
    result = client.infer(
        "echo_fp32",
        inputs(module, "INPUT0", ramp),
        outputs=[module.InferRequestedOutput("OUTPUT0")],
        request_id="42",
        sequence_id=7,
        sequence_start=True,
        sequence_end=True,
        priority=2,
        timeout=1_000_000,
        headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-mine": "1"},
        parameters={"mine": 1, "also": "text", "flag": True},
    )
    same(result, "OUTPUT0", ramp)
result = grpc.infer("echo_fp32", inputs(tg, "INPUT0", ramp), request_id="42", client_timeout=5)
assert result.get_response().id == "42" and result.get_response().model_version == "1"
fails(
    lambda: grpc.infer("image", inputs(tg, "INPUT0", images), client_timeout=0.002),
    "Deadline Exceeded",
    status="StatusCode.DEADLINE_EXCEEDED",
)
done("parameters")

# Errors by message.
for client, module in ((grpc, tg), (http, th)):
    bad = lambda array, **more: lambda: client.infer("echo_fp32", inputs(module, "INPUT0", array, **more))
    fails(bad(np.zeros((1, 15), np.float32)), "unexpected shape for input 'INPUT0' for model 'echo_fp32'")
    fails(bad(np.zeros((1, 16), np.int32)), "data-type is 'INT32', but model 'echo_fp32' expects 'FP32'")
    fails(bad(np.zeros((4096, 16), np.float32)), "inference request batch-size must be <=")
    fails(lambda: client.infer("nothing", inputs(module, "INPUT0", ramp)), "unknown model")
    fails(
        lambda: client.infer(
            "echo_fp32",
            inputs(module, "INPUT0", ramp),
            outputs=[module.InferRequestedOutput("NOT_THERE")],
        ),
        "NOT_THERE",
    )
done("errors")

# Asynchronous: callbacks, futures, asyncio, many at once on one channel.
answers = queue.Queue()
for index in range(64):
    array = np.full((1, 16), index, np.float32)
    grpc.async_infer(
        "echo_fp32",
        inputs(tg, "INPUT0", array),
        callback=lambda result, error, array=array: answers.put((result, error, array)),
        request_id=str(index),
    )
for _ in range(64):
    result, error, array = answers.get(timeout=20)
    assert error is None, error
    same(result, "OUTPUT0", array)
handles = [(http.async_infer("echo_fp32", inputs(th, "INPUT0", ramp + i)), ramp + i) for i in range(16)]
for handle, array in handles:
    same(handle.get_result(), "OUTPUT0", array)
cancelled = queue.Queue()
context = grpc.async_infer(
    "image", inputs(tg, "INPUT0", images), callback=lambda result, error: cancelled.put(error)
)
context.cancel()
assert "Locally cancelled" in str(cancelled.get(timeout=10))


async def with_asyncio():
    import asyncio

    async with tga.InferenceServerClient(GRPC) as client:
        results = await asyncio.gather(
            *(client.infer("echo_fp32", inputs(tg, "INPUT0", ramp + i)) for i in range(16))
        )
        for index, result in enumerate(results):
            same(result, "OUTPUT0", ramp + index)


import asyncio

asyncio.run(with_asyncio())
done("asynchronous")

# Streams: in order, an error in the middle, the final flag.
streamed = queue.Queue()
grpc.start_stream(callback=lambda result, error: streamed.put((result, error)))
for index in range(40):
    name = "nothing" if index == 20 else "image" if index % 10 == 3 else "echo_fp32"
    array = np.full((4, 224, 224, 3) if name == "image" else (1, 16), index, np.float32)
    grpc.async_stream_infer(
        name,
        inputs(tg, "INPUT0", array),
        request_id=str(index),
        enable_empty_final_response=index % 2 == 0,
    )
for index in range(40):
    result, error = streamed.get(timeout=20)
    if index == 20:
        assert result is None and "unknown model" in error.message()
        continue
    assert error is None, error
    response = result.get_response()
    assert response.id == str(index), (response.id, index)
    assert response.parameters["triton_final_response"].bool_param
    assert (result.as_numpy("OUTPUT0") == index).all()
grpc.stop_stream()
strict = queue.Queue()
grpc.start_stream(
    callback=lambda result, error: strict.put((result, error)), headers={"triton_grpc_error": "true"}
)
grpc.async_stream_infer("nothing", inputs(tg, "INPUT0", ramp))
result, error = strict.get(timeout=10)
assert "unknown model" in error.message() and error.status() == "StatusCode.NOT_FOUND"
grpc.stop_stream()
done("streams")

# A large tensor, through the pieces of many frames.
image = rng.standard_normal((8, 224, 224, 3)).astype(np.float32)
same(grpc.infer("image", inputs(tg, "INPUT0", image)), "OUTPUT0", image)
same(http.infer("image", inputs(th, "INPUT0", image)), "OUTPUT0", image)
done("large tensors")

# Shared memory.
for client, module, prefix in ((grpc, tg, "g"), (http, th, "h")):
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    size = ramp.nbytes
    region = shm.create_shared_memory_region(f"{prefix}_in", f"/n2f_test_{prefix}", 2 * size)
    try:
        shm.set_shared_memory_region(region, [ramp])
        client.register_system_shared_memory(f"{prefix}_in", f"/n2f_test_{prefix}", 2 * size)
        fails(
            lambda: client.register_system_shared_memory(f"{prefix}_in", f"/n2f_test_{prefix}", 2 * size),
            "already in manager",
        )
        status = client.get_system_shared_memory_status()
        if prefix == "g":
            assert status.regions["g_in"].byte_size == 2 * size
        else:
            assert status[0]["name"] == "h_in" and status[0]["byte_size"] == 2 * size
        tensor = module.InferInput("INPUT0", list(ramp.shape), "FP32")
        tensor.set_shared_memory(f"{prefix}_in", size)
        output = module.InferRequestedOutput("OUTPUT0")
        output.set_shared_memory(f"{prefix}_in", size, offset=size)
        result = client.infer("echo_fp32", [tensor], outputs=[output])
        assert result.get_output("OUTPUT0") is not None
        got = shm.get_contents_as_numpy(region, np.float32, list(ramp.shape), offset=size)
        assert (got == ramp).all()
        small = module.InferRequestedOutput("OUTPUT0")
        small.set_shared_memory(f"{prefix}_in", 8)
        fails(lambda: client.infer("echo_fp32", [tensor], outputs=[small]), "shared memory size specified")
        client.unregister_system_shared_memory(f"{prefix}_in")
        fails(lambda: client.infer("echo_fp32", [tensor]), "Unable to find shared memory region")
        fails(
            lambda: client.register_system_shared_memory("x", "/n2f_test_absent", 8),
            "Unable to open shared memory region: '/n2f_test_absent'",
        )
        fails(lambda: client.register_cuda_shared_memory("c", b"1234", 0, 8), "no GPU")
    finally:
        shm.destroy_shared_memory_region(region)
done("shared memory")

# Model control, statistics, settings.
for client in (grpc, http):
    client.load_model("echo_fp32")
    fails(lambda: client.load_model("no_such_model"), "failed to load 'no_such_model'")
    client.unload_model("echo_int8")
    client.load_model("echo_int8")
index = grpc.get_model_repository_index().models
assert "echo_fp32" in [model.name for model in index]
assert {"name", "version", "state", "reason"} <= set(http.get_model_repository_index()[0])
stats = grpc.get_inference_statistics("echo_fp32").model_stats
assert len(stats) == 1 and stats[0].version == "1" and stats[0].inference_stats.success.count > 0
stats = http.get_inference_statistics("echo_fp32")["model_stats"][0]["inference_stats"]
for key in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"):
    assert {"count", "ns"} <= set(stats[key])
assert len(http.get_inference_statistics()["model_stats"]) > 5
grpc.update_trace_settings(settings={"trace_rate": "5", "trace_level": ["TIMESTAMPS"]})
assert list(grpc.get_trace_settings().settings["trace_rate"].value) == ["5"]
assert http.update_trace_settings(settings={"trace_rate": "6"})["trace_rate"] in ("6", ["6"])
grpc.update_log_settings({"log_verbose_level": 1, "log_info": False})
assert grpc.get_log_settings().settings["log_verbose_level"].uint32_param == 1
assert http.get_log_settings()["log_info"] is False
http.update_log_settings({"log_verbose_level": 0, "log_info": True})
done("control")

# The CMS way: index, config, metadata, then bursts of calls on one channel, statistics around them.
sonic = tg.InferenceServerClient(GRPC)
for model in sonic.get_model_repository_index().models:
    assert sonic.get_model_config(model.name).config.name == model.name
    assert len(sonic.get_model_metadata(model.name).inputs) == 1
assert sonic.get_model_config("echo_fp32").config.model_repository_agents.agents[0].name == "checksum"
for burst in range(5):
    before = sonic.get_inference_statistics("echo_fp32").model_stats[0]
    ready = queue.Queue()
    ragged = [rng.standard_normal((rows, 16)).astype(np.float32) for rows in (1, 7, 500, 3)]
    for array in ragged:
        sonic.async_infer(
            "echo_fp32",
            inputs(tg, "INPUT0", array),
            callback=lambda result, error, array=array: ready.put((result, error, array)),
            client_timeout=30,
        )
    for _ in ragged:
        result, error, array = ready.get(timeout=20)
        assert error is None, error
        same(result, "OUTPUT0", array)
    after = sonic.get_inference_statistics("echo_fp32").model_stats[0]
    assert after.inference_stats.success.count >= before.inference_stats.success.count + len(ragged)
done("sonic sequence")

# Several clients in threads.
problems = []


def work(seed):
    try:
        client = tg.InferenceServerClient(GRPC)
        local = np.random.default_rng(seed)
        for _ in range(30):
            array = local.standard_normal((int(local.integers(1, 600)), 16)).astype(np.float32)
            same(client.infer("echo_fp32", inputs(tg, "INPUT0", array)), "OUTPUT0", array)
    except Exception as error:  # noqa: BLE001
        problems.append(error)


threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not problems, problems
done("threads")
print("ALL OK")
