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
        Description("The UNet's numbers: auto, float32, bfloat16 or float16; auto is bfloat16 on CUDA, else float32"),
        DefaultValue(Devices.Auto)]
    public string DtypeName { get; init; } = Devices.Auto;

    [CommandOption("--deterministic"),
        Description("The same bytes each time on one kind of GPU, by slower algorithms; on the CPU it is so anyway")]
    public bool Deterministic { get; init; }

    private Device? _device;

    public Device Device => _device ??= Prepared(Devices.Named(DeviceName));

    private Device Prepared(Device device)
    {
        new Machine { Device = device, Deterministic = Deterministic }.Prepare();
        return device;
    }

    public ScalarType Dtype => DtypeName switch
    {
        Devices.Auto => Device.type == DeviceType.CUDA ? ScalarType.BFloat16 : ScalarType.Float32,
        "float32" => ScalarType.Float32,
        "bfloat16" => ScalarType.BFloat16,
        "float16" => ScalarType.Float16,
        _ => throw new DoriException($"--dtype {DtypeName}: not known; auto, float32, bfloat16 and float16 are possible"),
    };

    public Machine Machine => new() { Device = Device, Dtype = Dtype, Threads = Threads, Deterministic = Deterministic };
}
