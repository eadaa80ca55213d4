using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>Where and in which numbers a run computes.</summary>
public sealed record Machine
{
    /// <summary>Of the model and the copy detector.</summary>
    public Device Device { get; init; } = CPU;
    /// <summary>The UNet's: float32 or bfloat16.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.Float32;
    /// <summary>Processor threads in all.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>As manifests name it.</summary>
    internal string DeviceName => Devices.KindOf(Device);
    /// <summary>As manifests name it.</summary>
    internal string DtypeName => Dtype.ToString().ToLowerInvariant();

    /// <summary>Pieces of work at a time, and libtorch's threads for each.</summary>
    internal Workers WorkersFor(DiffusionModel model) =>
        model.IsSmall && Device.type == DeviceType.CPU ? new Workers(Threads, 1) : new Workers(1, Threads);

    /// <summary>The processor's name and its number of cores.</summary>
    internal static string Processor()
    {
        const string file = "/proc/cpuinfo";
        string? line = File.Exists(file)
            ? InputFile.ReadLines(file, InputKind.System).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return $"{line?.Split(':', 2)[1].Trim() ?? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString()}, "
            + $"{Environment.ProcessorCount} cores";
    }
}
