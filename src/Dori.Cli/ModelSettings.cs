using System.ComponentModel;
using Dori.Diffusion;
using Dori.Native;
using Spectre.Console.Cli;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli;

/// <summary>Where a model is computed: of every verb that does.</summary>
internal class ModelSettings : CheckpointSettings
{
    [CommandOption("--device <DEVICE>"),
        Description("auto, cpu, cuda or cuda:N; auto is the first CUDA device where there is one, else the CPU"),
        DefaultValue(Devices.Auto)]
    public string DeviceName { get; init; } = Devices.Auto;

    [CommandOption("--dtype <DTYPE>"),
        Description("The UNet's numbers: auto, float32 or bfloat16; auto is bfloat16 on CUDA, else float32"),
        DefaultValue(Devices.Auto)]
    public string DtypeName { get; init; } = Devices.Auto;

    private Device? _device;

    public Device Device => _device ??= Devices.Named(DeviceName);

    public ScalarType Dtype => DtypeName switch
    {
        Devices.Auto => Device.type == DeviceType.CUDA ? ScalarType.BFloat16 : ScalarType.Float32,
        "float32" => ScalarType.Float32,
        "bfloat16" => ScalarType.BFloat16,
        _ => throw new DoriException($"--dtype {DtypeName}: not known; auto, float32 and bfloat16 are possible"),
    };

    public Machine Machine => new() { Device = Device, Dtype = Dtype, Threads = Threads };
}
