using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>Where and in which numbers a run computes.</summary>
public sealed record Machine
{
    /// <summary>Of the model and the copy detector.</summary>
    public Device Device { get; init; } = CPU;
    /// <summary>The UNet's: float32, bfloat16 or float16.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.Float32;
    /// <summary>
    /// Whether the same command gives the same bytes on one kind of GPU, at the price of slower algorithms; on the CPU it does anyway.
    /// It is the whole process's.
    /// </summary>
    public bool Deterministic { get; init; }
    /// <summary>Processor threads in all.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Before anything is computed.</summary>
    /// <exception cref="DoriException">This libtorch cannot do what is asked for.</exception>
    internal void Prepare()
    {
        NativeLibraries.Check();
        if (Deterministic && Device.type == DeviceType.CUDA) TorchContext.Deterministic(true);
    }

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
