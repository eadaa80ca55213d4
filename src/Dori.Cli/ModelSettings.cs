using System.ComponentModel;
using Dori.Diffusion;
using Spectre.Console.Cli;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli;

/// <summary>Where a model is computed: of every verb that does.</summary>
internal class ModelSettings : CheckpointSettings
{
    [CommandOption("--device <DEVICE>"), Description("cpu or cuda"), DefaultValue("cpu")]
    public string DeviceName { get; init; } = "cpu";

    [CommandOption("--dtype <DTYPE>"),
        Description("The UNet's numbers: float32 or bfloat16 (default: float32 on the CPU, bfloat16 on CUDA)")]
    public string? DtypeName { get; init; }

    public Device Device => DeviceName switch
    {
        "cpu" => CPU,
        "cuda" =>
            cuda.is_available() ? CUDA
            : throw new DoriException(
            "--device cuda: this build's libtorch sees no CUDA device; build with -p:TorchBackend=cuda, or use --device cpu"),
        _ => throw new DoriException($"--device {DeviceName}: not known; cpu and cuda are possible"),
    };

    public ScalarType Dtype => (DtypeName ?? (DeviceName == "cuda" ? "bfloat16" : "float32")) switch
    {
        "float32" => ScalarType.Float32,
        "bfloat16" => ScalarType.BFloat16,
        _ => throw new DoriException($"--dtype {DtypeName}: not known; float32 and bfloat16 are possible"),
    };

    public Machine Machine => new() { Device = Device, Dtype = Dtype, Threads = Threads };
}
