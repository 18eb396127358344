"""The GPU's kernel without a GPU: it keeps the kernel's tests where Triton interprets it, and it compiles for one."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")

SUITE = ("tests/laws/test_opcodes_law.py", "tests/test_kernel.py")
PASSES = ("tests/laws/test_optimisers.py", "tests/test_dense.py")
# What is about numba, or takes minutes here.
ELSEWHERE = "not numba and not compile and not importing and not 130 and not listed"
APPROXIMATE = re.compile(r"\b(?:div\.full|(?:ex2|lg2|sin|cos|tanh|sqrt|rcp|rsqrt|div)\.approx)\S*")
POINTERS = {
    "work": "*i32",
    "tapes": "*i32",
    "code": "*i32",
    "sources": "*i32",
    "constants": "*fp32",
    "turns": "*i64",
    "output": "*fp32",
    "given": "*fp32",
    "scratch": "*fp32",
    "row_values": "*fp64",
    "gradients": "*fp32",
}
NUMBERS = dict.fromkeys(("items", "seeds", "columns", "batch", "classes", "variables", "registers"), "i32")


@pytest.mark.timeout(7200)
def test_interpreted_by_triton_the_kernel_keeps_its_tests() -> None:
    """Tries SYMLOSS_FORMULAS random formulas a slot; 10,000 take about an hour."""
    environment = {
        **os.environ,
        "TRITON_INTERPRET": "1",
        "SYMLOSS_TRITON": "cpu",
        "SYMLOSS_FORMULAS": os.environ.get("SYMLOSS_FORMULAS", "30"),
    }
    call = [sys.executable, "-m", "pytest", "-p", "tests.triton_plugin", "-n0", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*call, *SUITE, *PASSES, "-k", ELSEWHERE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 250, "most of the tests were not run"


@pytest.mark.parametrize(("rows", "padded", "softmax"), [(32, 16, True), (512, 1, False), (1, 1024, True)])
def test_it_compiles_for_a_gpu_to_exact_instructions(
    rows: int, padded: int, softmax: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down to the machine code of an H100; nothing that only comes near a quotient, a root or a logarithm."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    assembly = compiled("run_tapes", {**POINTERS, **NUMBERS}, ROWS=rows, PADDED=padded, SOFTMAX=softmax)
    assert ".target sm_90" in assembly
    assert "bar.sync" in assembly
    assert not APPROXIMATE.findall(assembly)


def test_adding_rows_compiles_for_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    signature = {"row_values": "*fp64", "losses": "*fp32", "members": "i32", "batch": "i32"}
    assembly = compiled("add_rows", signature, MEMBERS=16, AT_ONCE=64)
    assert "add.f64" in assembly or "add.rn.f64" in assembly


def compiled(name: str, signature: dict[str, str], **constants: int | bool) -> str:
    """Compile one of the kernels for compute capability 9.0 and return its assembly."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from symloss.judging import triton_kernel
    from symloss.judging.gpu_interpreter import warps

    kinds = signature | dict.fromkeys(constants, "constexpr")
    aligned = {(i,): [["tt.divisibility", 16]] for i, kind in enumerate(kinds.values()) if kind.startswith("*")}
    source = ASTSource(getattr(triton_kernel, name), kinds, constants, attrs=aligned)
    options = {"num_warps": warps(constants.get("ROWS", 1) * constants.get("PADDED", 1)), "num_stages": 1}
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert made.asm["cubin"]
    return str(made.asm["ptx"])
