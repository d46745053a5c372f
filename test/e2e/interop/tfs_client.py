"""Calls the TensorFlow Serving facade as the client of the first SONIC does.

    python tfs_client.py GRPC_ADDRESS PROTO_DIRECTORY

The server has one model or a default, with one input [-1, 16] FP32 that it gives back.
"""

import pathlib
import sys
import tempfile

import grpc
import numpy as np
from grpc_tools import protoc

address, protos = sys.argv[1:3]
out = tempfile.mkdtemp()
files = ["tensorflow.proto", "tensorflow_serving.proto", "health.proto"]
well_known = str(pathlib.Path(protoc.__file__).parent / "_proto")
assert protoc.main(["", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", *files]) == 0
sys.path.insert(0, out)
import tensorflow_pb2 as tf  # noqa: E402
import tensorflow_serving_pb2 as tfs  # noqa: E402

channel = grpc.insecure_channel(address)


def call(method, reply, request, timeout=10):
    return channel.unary_unary(
        f"/tensorflow.serving.{method}", lambda message: message.SerializeToString(), reply.FromString
    )(request, timeout=timeout)


data = np.random.default_rng(1).standard_normal((5, 16)).astype(np.float32)
shape = tf.TensorShapeProto(dim=[tf.TensorShapeProto.Dim(size=size) for size in data.shape])

# No model_spec, any input name, tensor_content; the first output is read.
request = tfs.PredictRequest()
request.inputs["classifier_input"].CopyFrom(
    tf.TensorProto(dtype=tf.DT_FLOAT, tensor_shape=shape, tensor_content=data.tobytes())
)
reply = call("PredictionService/Predict", tfs.PredictResponse, request)
first = next(iter(reply.outputs.values()))
assert (np.frombuffer(first.tensor_content, np.float32).reshape(5, 16) == data).all()
name = reply.model_spec.name

# With a model_spec and float_val.
request = tfs.PredictRequest(model_spec=tfs.ModelSpec(name=name))
request.inputs["INPUT0"].CopyFrom(
    tf.TensorProto(dtype=tf.DT_FLOAT, tensor_shape=shape, float_val=data.ravel().tolist())
)
reply = call("PredictionService/Predict", tfs.PredictResponse, request)
first = next(iter(reply.outputs.values()))
assert (np.frombuffer(first.tensor_content, np.float32).reshape(5, 16) == data).all()
assert reply.model_spec.version.value == 1

metadata = call(
    "PredictionService/GetModelMetadata",
    tfs.GetModelMetadataResponse,
    tfs.GetModelMetadataRequest(metadata_field=["signature_def"]),
)
signatures = tfs.SignatureDefMap()
assert metadata.metadata["signature_def"].Unpack(signatures)
signature = signatures.signature_def["serving_default"]
assert signature.inputs["INPUT0"].dtype == tf.DT_FLOAT
assert [dim.size for dim in signature.inputs["INPUT0"].tensor_shape.dim] == [-1, 16]

status = call("ModelService/GetModelStatus", tfs.GetModelStatusResponse, tfs.GetModelStatusRequest())
assert status.model_version_status[0].state == tfs.ModelVersionStatus.AVAILABLE

for wrong, code in (
    (tfs.PredictRequest(model_spec=tfs.ModelSpec(name="nothing")), grpc.StatusCode.NOT_FOUND),
    (tfs.PredictRequest(), grpc.StatusCode.INVALID_ARGUMENT),
):
    try:
        call("PredictionService/Predict", tfs.PredictResponse, wrong)
        raise AssertionError("the call succeeded")
    except grpc.RpcError as error:
        assert error.code() == code, error
print("ALL OK")
