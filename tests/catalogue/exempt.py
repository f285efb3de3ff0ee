"""What is not measured, and why. An entry here that has become measurable, or is gone from torch, fails the test."""

from __future__ import annotations

_ABSTRACT = "a base class without a forward of its own"
_STAGE = "made from a traced graph by prepare_fx and its like; the modules in it are judged one by one"
_PACKED = "holds the packed weight of the layer around it, which never calls it"

# Public classes without an entry.
WITHOUT_ENTRY = {
    "torch.nn.Module": _ABSTRACT,
    "torch.nn.Container": _ABSTRACT,
    "torch.nn.RNNBase": _ABSTRACT,
    "torch.nn.RNNCellBase": _ABSTRACT,
    "torch.nn.cpp.ModuleWrapper": "wraps a module written in C++, which runs its own forward",
    "torch.nn.parallel.DistributedDataParallelCPU": "removed: it only says so when built",
    "torch.nn.utils.parametrize.ParametrizationList": "made by register_parametrization, whose entry covers it",
    "torch.ao.nn.quantized.dynamic.modules.rnn.PackedParameter": _PACKED,
    "torch.ao.nn.quantized.dynamic.modules.rnn.RNNBase": _ABSTRACT,
    "torch.ao.nn.quantized.dynamic.modules.rnn.RNNCellBase": _ABSTRACT,
    "torch.ao.nn.quantized.modules.embedding_ops.EmbeddingPackedParams": _PACKED,
    "torch.ao.nn.quantized.modules.linear.LinearPackedParams": _PACKED,
    "torch.ao.nn.quantized.modules.utils.WeightedQuantizedModule": _ABSTRACT,
    "torch.ao.nn.quantized.reference.modules.rnn.RNNBase": _ABSTRACT,
    "torch.ao.nn.quantized.reference.modules.rnn.RNNCellBase": _ABSTRACT,
    "torch.ao.nn.quantized.reference.modules.utils.ReferenceQuantizedModule": _ABSTRACT,
    "torch.ao.nn.sparse.quantized.linear.LinearPackedParams": _PACKED,
    "torch.ao.quantization.fake_quantize.FakeQuantizeBase": _ABSTRACT,
    "torch.ao.quantization.observer.AffineQuantizedObserverBase": _ABSTRACT,
    "torch.ao.quantization.observer.ObserverBase": _ABSTRACT,
    "torch.ao.quantization.observer.UniformQuantizationObserverBase": _ABSTRACT,
    "torch.ao.quantization.fx.graph_module.FusedGraphModule": _STAGE,
    "torch.ao.quantization.fx.graph_module.ObservedGraphModule": _STAGE,
    "torch.ao.quantization.fx.graph_module.ObservedStandaloneGraphModule": _STAGE,
    "torch.ao.quantization.fx.graph_module.QuantizedGraphModule": _STAGE,
}

_NO_FORWARD = "has no forward: what it holds is taken out and called"
_COMPILED = "read from source: its operator has to be compiled for the torch that is installed"
_QCONFIG = "its entry says that the state after it is unknown, and it is seen to change what the call does not tell"
_UNCOPIED = "its packed weight does not survive a deep copy: one instance is called with other inputs between"

# Entries that no case runs but a test of its own does (test_by_hand.py), and why.
BY_HAND = {
    "torch.nn.ModuleDict": _NO_FORWARD,
    "torch.nn.ModuleList": _NO_FORWARD,
    "torch.nn.ParameterDict": _NO_FORWARD,
    "torch.nn.ParameterList": _NO_FORWARD,
    "torch.nn.parallel.DistributedDataParallel": "needs a process group",
    "torch.compile": "what it returns has the module under another name",
    "torch.ao.quantization.convert": _QCONFIG,
    "torch.ao.quantization.fuse_modules": _QCONFIG,
    "torch.ao.quantization.fuse_modules_qat": _QCONFIG,
    "torch.ao.quantization.prepare": _QCONFIG,
    "torch.ao.quantization.prepare_qat": _QCONFIG,
    "torch.ao.quantization.quantize_dynamic": _QCONFIG,
    "torch.ao.nn.sparse.quantized.Linear": _UNCOPIED,
    "torch.ao.nn.sparse.quantized.dynamic.Linear": _UNCOPIED,
}

# Entries that are not run.
UNMEASURED = {
    "torchvision.ops.DeformConv2d": _COMPILED,
    "torchvision.ops.PSRoIAlign": _COMPILED,
    "torchvision.ops.PSRoIPool": _COMPILED,
    "torchvision.ops.RoIPool": _COMPILED,
}
