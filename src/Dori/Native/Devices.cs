using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Native;

/// <summary>Where tensors can lie, by the names that command lines and manifests use: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>.</summary>
internal static class Devices
{
    /// <summary>The kind of device that is asked for where nobody says which.</summary>
    public const string Auto = "auto";
    private const string Cpu = "cpu", Cuda = "cuda";

    /// <summary>Kinds of device besides those, by name: none but what a test adds.</summary>
    internal static Dictionary<string, DeviceType> Others { get; } = [];

    /// <param name="name"><c>auto</c> (the first CUDA device, else the CPU), <c>cpu</c>, <c>cuda</c> (the first), <c>cuda:N</c></param>
    /// <exception cref="DoriException">It is not known, or not there.</exception>
    public static Device Named(string name)
    {
        if (name == Auto) return cuda.is_available() ? new Device(DeviceType.CUDA, 0) : CPU;
        if (name == Cpu) return CPU;
        if (Others.TryGetValue(name, out DeviceType other)) return new Device(other, 0);
        string[] parts = name.Split(':');
        if (parts[0] != Cuda || parts.Length > 2) throw Unknown(name);
        int index = 0;
        if (parts.Length == 2 && !int.TryParse(parts[1], System.Globalization.NumberStyles.None, null, out index)) throw Unknown(name);
        int count = cuda.is_available() ? cuda.device_count() : 0;
        if (count == 0)
            throw new DoriException($"`Device` {name}: this build's libtorch sees no CUDA device; build with -p:TorchBackend=cuda, or "
                + "name a libtorch with CUDA in DORI_LIBTORCH, or take `Device` cpu");
        if (index >= count)
            throw new DoriException($"`Device` {name}: there {(count == 1 ? "is 1 CUDA device" : $"are {count} CUDA devices")}, numbered "
                + "from 0");
        return new Device(DeviceType.CUDA, index);
    }

    private static DoriException Unknown(string name) =>
        new($"`Device` {name}: not known; auto, cpu, cuda and cuda:N (N from 0) are possible");

    /// <summary>The kind of a device, without its number: results do not depend on which of several equal ones it was.</summary>
    public static string KindOf(Device device) => device.type switch
    {
        DeviceType.CPU => Cpu,
        DeviceType.CUDA => Cuda,
        _ => Others.FirstOrDefault(pair => pair.Value == device.type).Key ?? device.type.ToString().ToLowerInvariant(),
    };

    /// <summary>Where a TorchScript network is computed for a model on a device: only the CPU and CUDA can load one.</summary>
    public static Device ForScripts(Device device) => device.type is DeviceType.CPU or DeviceType.CUDA ? device : CPU;
}
