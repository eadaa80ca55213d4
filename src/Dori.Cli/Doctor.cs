using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Cli;

/// <summary>One thing that was looked at.</summary>
/// <param name="State"><c>ok</c>, <c>none</c> (nothing is wrong without it) or <c>failed</c></param>
/// <param name="Remedy">What to do; empty where nothing is to be done.</param>
internal sealed record Finding(string What, string State, string Found, string Remedy = "")
{
    public const string Ok = "ok", None = "none", Failed = "failed";
}

/// <summary>Looks at everything between this program and a first number: what was loaded from where, and whether it computes.</summary>
/// <param name="device">As <c>--device</c> names it.</param>
/// <param name="python">A Python whose PyTorch brings libtorch where none is named; or null.</param>
internal sealed class Doctor(string device, string? python)
{
    private const double Gibi = 1L << 30;

    /// <param name="copyDetector">File or folder, as an audit takes it; or null.</param>
    /// <param name="speed">Whether to measure it too, at Stable Diffusion 1.x's size.</param>
    public IEnumerable<Finding> Examine(string? copyDetector, string? preset, bool speed = false)
    {
        yield return Machine();
        if (python is not null) yield return Python(python);
        Finding libtorch = Libtorch();
        yield return libtorch;
        if (libtorch.State == Finding.Failed) yield break;
        yield return Numbers();
        Finding gpu = Gpu(out Device? chosen);
        yield return gpu;
        if (chosen is null) yield break;
        yield return Attention(chosen);
        if (copyDetector is not null) yield return CopyDetector(copyDetector, preset, chosen);
        if (!speed) yield break;
        ScalarType dtype = chosen.type == DeviceType.CUDA ? ScalarType.BFloat16 : ScalarType.Float32;
        foreach (Finding finding in new Speed(chosen, dtype).Measure()) yield return finding;
    }

    private static Finding Machine()
    {
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return new("machine", Finding.Ok, $"{Diffusion.Machine.Processor()}; {memory.TotalAvailableMemoryBytes / Gibi:0.0} GiB of memory; "
            + $"{RuntimeInformation.OSDescription}; {RuntimeInformation.FrameworkDescription}; dori {ProgramVersion.Text}");
    }

    private static Finding Python(string python)
    {
        string wanted = $"install PyTorch {Native.Libtorch.Works} there, or name a Python that has it";
        string? folder = PythonsLibtorch.Folder(python, out string problem);
        if (folder is null) return new("PyTorch", Finding.Failed, problem, wanted);
        if (NativeLibraries.Own is { } own)
            return new("PyTorch", Finding.Ok, folder, $"this build brings a libtorch of its own ({own}); to compute with {python}'s, "
                + "take a build without (-p:TorchBackend=none)");
        string export = $"export {Native.Libtorch.Variable}={folder}";
        if (NativeLibraries.Named is { } named) return new("PyTorch", Finding.Ok, folder, named == folder ? "" : export);
        try
        {
            NativeLibraries.Use(folder);
            return new("PyTorch", Finding.Ok, folder, export);
        }
        catch (DoriException e)
        {
            return new("PyTorch", Finding.Failed, e.Message, wanted);
        }
    }

    private static Finding Libtorch()
    {
        try
        {
            NativeLibraries.Require();
        }
        catch (DoriException e)
        {
            return new("libtorch", Finding.Failed, e.Message);
        }
        string from = NativeLibraries.Loaded is not { } loaded ? "" : $", {loaded.Folder} "
            + (loaded.Folder == NativeLibraries.Own ? "(comes with this build)" : $"(by {Native.Libtorch.Variable})")
            + $"; bound by {NativeLibraries.BindingPath}";
        return new("libtorch", Finding.Ok, NativeLibraries.Version + from);
    }

    private static Finding Numbers()
    {
        try
        {
            return NativeLibraries.Check() is { } warning ? new("numbers", Finding.Ok, warning)
                : SelfTest.Problem(CPU) is { } problem ? new("numbers", Finding.Failed, problem, $"take PyTorch {Native.Libtorch.Works}")
                : new("numbers", Finding.Ok, "sizes of all types, a product, a gradient, a small network");
        }
        catch (DoriException e)
        {
            return new("numbers", Finding.Failed, e.Message);
        }
    }

    private Finding Gpu(out Device? chosen)
    {
        try
        {
            chosen = Devices.Named(device);
        }
        catch (DoriException e)
        {
            chosen = null;
            return new("device", Finding.Failed, e.Message);
        }
        if (chosen.type == DeviceType.CUDA)
        {
            Gpu? gpu = Native.Gpu.Of(chosen.index < 0 ? 0 : chosen.index);
            return new("device", Finding.Ok, gpu is null ? "cuda, of which the driver says nothing"
                : string.Create(CultureInfo.InvariantCulture,
                    $"{gpu.Name}, {gpu.FreeBytes / Gibi:0.0} of {gpu.TotalBytes / Gibi:0.0} GiB free; ")
                + $"driver {gpu.Driver}, CUDA {TorchContext.Cuda ?? "unknown"}, cuDNN {TorchContext.CuDnn ?? "none"}");
        }
        string name = Devices.KindOf(chosen);
        if (cuda.is_available() || Native.Gpu.Of(0) is not { } idle) return new("device", Finding.None, $"{name}; no CUDA device here");
        return TorchContext.Cuda is { } built
            ? new("device", Finding.Failed, $"{name}; {idle.Name} is there, but libtorch, made for CUDA {built}, does not see it",
                $"its driver is {idle.Driver}: update it, or take a PyTorch made for an older CUDA; CUDA_VISIBLE_DEVICES may hide it too")
            : new("device", Finding.None, $"{name}; {idle.Name} is there, but this libtorch is built without CUDA",
                $"to compute on it, take a PyTorch with CUDA: dori doctor --python python3");
    }

    /// <summary>What most of an audit's time goes into, against the same in float32 on the CPU.</summary>
    private static Finding Attention(Device device)
    {
        const double most = 0.03; // bfloat16 has 8 bits
        using var scope = NewDisposeScope();
        RandomSource random = RandomSource.For("doctor");
        Tensor[] inputs = [.. Enumerable.Range(0, 3).Select(i => random.Derive("input", i).Normal([1, 8, 256, 40]))];
        var watch = Stopwatch.StartNew();
        try
        {
            Tensor[] expected = Passes(inputs, CPU, ScalarType.Float32), actual = Passes(inputs, device, ScalarType.BFloat16);
            double error = expected.Zip(actual, (e, a) => (a - e).norm().item<float>() / e.norm().item<float>()).Max();
            string found = string.Create(CultureInfo.InvariantCulture,
                $"forwards and backwards on {Devices.KindOf(device)} in {watch.ElapsedMilliseconds} ms, relative error {error:0.0000}");
            return error < most ? new("bfloat16 attention", Finding.Ok, found)
                : new("bfloat16 attention", Finding.Failed, found, "--dtype float32, and please report it");
        }
        catch (ExternalException e)
        {
            return new("bfloat16 attention", Finding.Failed, e.Message.Split('\n')[0], "--dtype float32, or --device cpu");
        }
    }

    /// <returns>The output and the gradients of its squares' sum, float32 on the CPU</returns>
    private static Tensor[] Passes(Tensor[] inputs, Device device, ScalarType dtype)
    {
        using var gradients = enable_grad();
        Tensor[] x = [.. inputs.Select(input => input.to(device).to(dtype).detach().requires_grad_())];
        Tensor y = F.scaled_dot_product_attention(x[0], x[1], x[2]);
        return [.. autograd.grad([(y * y).sum()], x).Prepend(y.detach()).Select(t => t.to(ScalarType.Float32).cpu())];
    }

    private static Finding CopyDetector(string path, string? preset, Device device)
    {
        try
        {
            using TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(path, preset, device);
            using var scope = NewDisposeScope();
            RandomSource random = RandomSource.For("doctor");
            Tensor picture = random.Normal([1, 3, 64, 64]).Times(0.2).Plus(0.5).Clamp(0, 1);
            Tensor first = detector.Describe(picture), again = detector.Describe(picture);
            bool same = first.cpu().data<float>().ToArray().SequenceEqual(again.cpu().data<float>().ToArray());
            return new("copy detector", same ? Finding.Ok : Finding.Failed, $"{detector.Preset.Name}, {first.shape[^1]} numbers a picture, "
                + $"SHA-256 {detector.Sha256}" + (same ? "" : "; described twice, one picture got two answers"));
        }
        catch (DoriException e)
        {
            return new("copy detector", Finding.Failed, e.Message);
        }
    }
}
