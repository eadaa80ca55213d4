using System.Text.Json.Serialization;
using Dori.Diffusion;
using Dori.Native;
using TorchSharp;

namespace Dori.Audit;

/// <param name="ThreadsPerUnit">Kernels split their sums by it: another number may round differently. Of no account on a GPU.</param>
internal sealed record ManifestMachine(string Device, string Dtype, int ThreadsPerUnit, string Processor, string System, string Libtorch)
{
    /// <summary>Absent where nothing was computed on one, and in runs of older versions.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ManifestGpu? Gpu { get; init; }

    /// <summary>What decides a unit's last digits, as far as it is the device's: results of another kind may differ in them.</summary>
    [JsonIgnore]
    public string Kind => Gpu is null ? Device : $"{Device} ({Gpu.Name}{(Gpu.Deterministic ? ", deterministic" : "")})";

    /// <summary>Kind, type and, on the CPU, threads.</summary>
    [JsonIgnore]
    public string InOneLine => $"{Kind}, {Dtype}" + (ThreadsText.Length == 0 ? ""
        : $", {ThreadsPerUnit} {(ThreadsPerUnit == 1 ? "thread" : "threads")} a unit");

    /// <summary>Empty where they decide nothing.</summary>
    [JsonIgnore]
    public string ThreadsText => Gpu is null && Device != "cuda" ? $"{ThreadsPerUnit}" : "";

    internal static ManifestMachine Of(Machine machine, Workers workers) =>
        new(machine.DeviceName, machine.DtypeName, workers.ThreadsEach, Machine.Processor(),
            global::System.Runtime.InteropServices.RuntimeInformation.OSDescription, NativeLibraries.Version)
        {
            Gpu = machine.Device.type == DeviceType.CUDA ? ManifestGpu.Of(machine.Device) : null,
        };
}

/// <summary>A GPU and what computes on it.</summary>
/// <param name="Cuda">The version that libtorch is made for.</param>
/// <param name="Tf32">Whether products of float32 are computed with TF32's 10 bits.</param>
/// <param name="Deterministic">Whether algorithms that may give other bytes another time are errors.</param>
internal sealed record ManifestGpu(string Name, string Driver, string Cuda, string CuDnn, bool Tf32, bool Deterministic)
{
    [JsonIgnore]
    public string InOneLine => $"{Name}, driver {Driver}, CUDA {Cuda}, cuDNN {CuDnn}, {(Tf32 ? "TF32" : "no TF32")}, "
        + (Deterministic ? "deterministic algorithms" : "algorithms as libtorch chooses them");

    public static ManifestGpu Of(TorchSharp.torch.Device device)
    {
        const string unknown = "unknown";
        Gpu? gpu = Native.Gpu.Of(Math.Max(device.index, 0));
        return new ManifestGpu(gpu?.Name ?? unknown, gpu?.Driver ?? unknown, TorchContext.Cuda ?? unknown,
            TorchContext.CuDnn ?? unknown, TorchContext.AllowsTf32, TorchContext.IsDeterministic);
    }
}
