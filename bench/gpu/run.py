#!/usr/bin/env python3
"""Measures dori on a machine with Python, PyTorch (2.10 or 2.11) and a GPU: no .NET, no network.

    python3 run.py [--device cuda|cpu] [--libtorch FOLDER] [-o FOLDER]

Unpacked from the archive that pack.sh makes. Writes FOLDER/report.md and FOLDER/results.json; exit code 0 where nothing failed.
On a CPU it is a dry run: the same steps, with smaller counts where a GPU is needed.
"""
import argparse
import array
import importlib.util
import json
import math
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAM, MODEL = HERE / "dori" / "dori", HERE / "dori" / "models" / "emoji"


class Bench:
    def __init__(self, options):
        self.options, self.results, self.failed = options, {}, []
        self.out = Path(options.output)
        self.out.mkdir(parents=True, exist_ok=True)
        spec = importlib.util.find_spec("torch")
        own = Path(spec.origin).parent / "lib" if spec else None
        libtorch = Path(options.libtorch) if options.libtorch else own
        self.environment = dict(os.environ, DORI_LIBTORCH=str(libtorch), XDG_CACHE_HOME=str(self.out / "cache"))

    def dori(self, *args, check=True):
        begun = time.time()
        done = subprocess.run([str(PROGRAM), *map(str, args)], env=self.environment, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"dori {' '.join(map(str, args))}: exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done, time.time() - begun

    def part(self, name, action):
        begun = time.time()
        try:
            self.results[name] = action()
        except Exception as error:  # the other parts are still worth having
            self.results[name] = {"error": str(error)}
        result = self.results[name]
        if "error" in result or result.get("ok") is False:
            self.failed.append(name)
        print(f"{name} ({time.time() - begun:.0f} s): {json.dumps(result, ensure_ascii=False)[:600]}", flush=True)
        (self.out / "results.json").write_text(json.dumps(self.results, indent=1, ensure_ascii=False) + "\n")

    # 1
    def doctor(self):
        done, _ = self.dori("doctor", "--device", self.options.device, "--copy-detector", MODEL, "--json", check=False)
        findings = json.loads(done.stdout)
        return {"ok": done.returncode == 0, "findings": {f["what"]: f["found"] for f in findings},
                "failed": [f for f in findings if f["state"] == "failed"]}

    # 2
    def goldens(self):
        golden, result, worst = read_safetensors(HERE / "golden.safetensors"), {}, {"float32": 1e-3, "bfloat16": 0.25}
        settings = json.loads((HERE / "golden.json").read_text())
        start = hashed("gen.z", 4 * 4 * 16 * 16)
        for dtype, most in worst.items():
            errors = []
            for k, caption in enumerate(settings["captions"][:2]):
                folder = self.out / f"golden-{dtype}-{k}"
                folder.mkdir(exist_ok=True)
                write_latents(folder / "start.safetensors", start[k * 1024:(k + 1) * 1024])
                self.dori("generate", MODEL, caption, "--latents", folder / "start.safetensors", "--save-latents", folder / "end.safetensors",
                          "--sampler", "ddim", "--sampler-steps", settings["steps"], "--guidance", settings["guidance"], "--dtype", dtype,
                          "--device", self.options.device, "-o", folder)
                expected = golden["generated_latents"][k * 1024:(k + 1) * 1024]
                actual = read_safetensors(folder / "end.safetensors")["latents"]
                errors.append(math.sqrt(sum((a - e) ** 2 for a, e in zip(actual, expected)) / sum(e * e for e in expected)))
            result[dtype] = max(errors)
            result["ok"] = result.get("ok", True) and max(errors) < most
        return result

    # 3
    def audit(self):
        expected = json.loads((HERE / "expected.json").read_text())
        asked = list(expected["options"])
        if self.options.device == "cpu":  # a dry run: a few pictures, whose verdicts need no comparison
            asked[asked.index("--limit") + 1] = "1"
        run = self.out / "audit"
        _, seconds = self.dori("audit", MODEL, "--images", MODEL / "pictures", "-o", run, "--device", self.options.device, *asked)
        summary = json.loads((run / "summary.json").read_text())
        found = {p["item"]: (p["verdict"], p["similarity"]) for p in summary["pictures"]}
        other = {i: [v, expected["verdicts"][i][0]] for i, (v, _) in found.items() if v != expected["verdicts"].get(i, [None])[0]}
        near = [abs(s - expected["verdicts"][i][1]) for i, (_, s) in found.items() if i in expected["verdicts"]]
        machine = json.loads((run / "manifest.json").read_text())["machine"]
        return {"ok": self.options.device == "cpu" or len(other) <= 1, "seconds": round(seconds, 1), "pictures": len(found),
                "other verdicts than on the CPU": other, "largest difference of a similarity": max(near, default=None), "machine": machine}

    # 4
    def twice(self):
        files = []
        for k in (1, 2):
            run = self.out / f"twice-{k}"
            self.dori("audit", MODEL, "--images", MODEL / "pictures", "-o", run, "--device", self.options.device, "--deterministic", "--limit",
                      "1", "--starts", "caption", "--curve", "none", "-n", "2", "--quiet")
            files.append({f.name: f.read_bytes() for part in ("units", "embeddings", "pictures") for f in (run / part).iterdir()})
        differ = [name for name in files[0] if files[0][name] != files[1].get(name)]
        return {"ok": not differ and len(files[0]) > 0, "files": len(files[0]), "differ": differ}

    # 5
    def speed(self):
        done, _ = self.dori("doctor", "--device", self.options.device, "--speed", "--json")
        names = ("matrix product", "forward", "search step", "pictures")
        result = {"dori": {f["what"]: f["found"] for f in json.loads(done.stdout) if f["what"] in names}}
        result["pytorch"] = pytorch_speed(self.options.device)
        return result


def pytorch_speed(device):
    import torch
    from torch_sd import UNet, Decoder, FORWARD_FLOPS
    gpu = device != "cpu"
    dtype = torch.bfloat16 if gpu else torch.float32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)

    def once(action):
        if gpu:
            torch.cuda.synchronize()
        begun = time.time()
        action()
        if gpu:
            torch.cuda.synchronize()
        return time.time() - begun

    def median(action):
        action()
        return sorted(once(action) for _ in range(3))[1]

    def grown(action):
        if not gpu:
            return action(), None
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        result = action()
        return result, (torch.cuda.max_memory_allocated() - before) / 2**30

    with torch.no_grad():
        a = torch.randn(4096, 4096, device=device, dtype=dtype)
        rate = 2 * 4096**3 / median(lambda: a @ a)
    unet = UNet().to(device, dtype).requires_grad_(False)
    x, t, y = torch.randn(1, 4, 64, 64, device=device), torch.tensor([500], device=device), torch.randn(1, 77, 768, device=device)
    with torch.no_grad():
        forward = median(lambda: unet(x.to(dtype), t, y.to(dtype)))
    pairs, count, steps = (8, 10, 20) if gpu else (1, 1, 1)
    noisy, leaf = torch.randn(pairs, 4, 64, 64, device=device), y.clone().requires_grad_()

    def step():
        loss = ((unet(noisy.to(dtype), t.expand(pairs), leaf.to(dtype)).float() - noisy) ** 2).mean()
        return torch.autograd.grad(loss, leaf)

    step_seconds, step_memory = grown(lambda: median(step))
    decoder = Decoder().to(device).requires_grad_(False)

    def pictures():
        with torch.no_grad():
            z = torch.randn(count, 4, 64, 64, device=device)
            for _ in range(steps):
                unet(torch.cat([z, z]).to(dtype), t.expand(2 * count), y.to(dtype))
            return [decoder(z[k:k + 1]).cpu() for k in range(count)]

    picture_seconds, picture_memory = grown(lambda: once(pictures))
    gib = lambda value: "" if value is None else f"; {value:.1f} GiB more"
    return {"version": torch.__version__, "matrix product": f"{rate / 1e12:.2f} TFLOP/s",
            "forward": f"{forward * 1e3:.1f} ms, {FORWARD_FLOPS / forward / rate:.2f} of the matrix product's rate",
            "search step": f"{step_seconds * 1e3:.1f} ms for {pairs} pairs, {step_seconds / pairs / forward:.2f} forwards a pair"
                           + gib(step_memory),
            "pictures": f"{picture_seconds:.2f} s for {count} of 512 x 512 in {steps} steps, decoded" + gib(picture_memory)}


def hashed(name, count):
    """Unit variance, uniform; a function of the name alone (tests/Dori.Tests/Goldens/README.md)."""
    mask, h = (1 << 64) - 1, 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & mask
    values = []
    for i in range(count):
        z = (h + (i + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        z ^= z >> 31
        values.append(((z >> 40) / (1 << 23) - 1) * math.sqrt(3))
    return values


def read_safetensors(path):
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, info in json.loads(data[8:8 + size]).items():
        if name != "__metadata__" and info["dtype"] == "F32":
            tensors[name] = array.array("f", data[8 + size + info["data_offsets"][0]:8 + size + info["data_offsets"][1]])
    return tensors


def write_latents(path, values):
    data = array.array("f", values).tobytes()
    header = json.dumps({"latents": {"dtype": "F32", "shape": [1, 4, 16, 16], "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(header)) + header + data)


def report(bench):
    lines = ["# dori on this machine", ""]
    for name, result in bench.results.items():
        lines += [f"## {name}: {'failed' if name in bench.failed else 'done'}", ""]
        lines += [f"- {key}: {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}" for key, value in result.items()]
        lines.append("")
    (bench.out / "report.md").write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--libtorch", help="the lib folder of another PyTorch than this Python's")
    parser.add_argument("--only", help="parts, by commas: doctor, goldens, audit, twice, speed")
    parser.add_argument("-o", "--output", default="gpu-bench")
    bench = Bench(parser.parse_args())
    parts = {"doctor": bench.doctor, "goldens": bench.goldens, "audit": bench.audit, "twice": bench.twice, "speed": bench.speed}
    for name, action in parts.items():
        if not bench.options.only or name in bench.options.only.split(","):
            bench.part(name, action)
    report(bench)
    print(f"{bench.out / 'report.md'}: {'failed: ' + ', '.join(bench.failed) if bench.failed else 'nothing failed'}")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
