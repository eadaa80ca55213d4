using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Dori.Native;

/// <summary>A GPU as NVIDIA's driver describes it: libtorch's binding has no such questions.</summary>
/// <param name="Driver">Such as 550.54.14; where that cannot be known, the newest CUDA that it serves.</param>
internal sealed record Gpu(string Name, string Driver, long TotalBytes, long FreeBytes)
{
    private const int Done = 0;

    /// <returns>null where there is no driver or no GPU of this number</returns>
    public static Gpu? Of(int index)
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out nint cuda)) return null;
        try
        {
            if (Call<Number>(cuda, "cuInit")(0) != Done || Call<NumberOf>(cuda, "cuDeviceGet")(out int device, index) != Done) return null;
            byte[] name = new byte[256];
            if (Call<NameOf>(cuda, "cuDeviceGetName")(name, name.Length, device) != Done) return null;
            (long total, long free) = Memory(cuda, device);
            return new Gpu(Text(name), DriverVersion() ?? Serves(cuda), total, free);
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    private static (long Total, long Free) Memory(nint cuda, int device)
    {
        // The context that libtorch computes in too.
        if (Call<ContextOf>(cuda, "cuDevicePrimaryCtxRetain")(out nint context, device) != Done) return default;
        Call<Context>(cuda, "cuCtxPushCurrent_v2")(context);
        bool known = Call<TwoSizes>(cuda, "cuMemGetInfo_v2")(out nuint free, out nuint total) == Done;
        Call<ContextOut>(cuda, "cuCtxPopCurrent_v2")(out _);
        Call<Number>(cuda, "cuDevicePrimaryCtxRelease_v2")((uint)device);
        return known ? ((long)total, (long)free) : default;
    }

    private static string? DriverVersion()
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvml.dll" : "libnvidia-ml.so.1", out nint management)) return null;
        byte[] version = new byte[80];
        return Call<Nothing>(management, "nvmlInit_v2")() == Done
            && Call<Words>(management, "nvmlSystemGetDriverVersion")(version, (uint)version.Length) == Done ? Text(version) : null;
    }

    private static string Serves(nint cuda) => Call<NumberOut>(cuda, "cuDriverGetVersion")(out int version) == Done
        ? string.Create(CultureInfo.InvariantCulture, $"for CUDA {version / 1000}.{version % 1000 / 10}") : "unknown";

    private static string Text(byte[] text) => Encoding.UTF8.GetString(text.AsSpan(0, Math.Max(0, text.AsSpan().IndexOf((byte)0))));

    private static T Call<T>(nint library, string name) where T : Delegate =>
        Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(library, name));

    private delegate int Nothing();
    private delegate int Number(uint value);
    private delegate int NumberOut(out int value);
    private delegate int NumberOf(out int value, int of);
    private delegate int NameOf([Out] byte[] name, int length, int device);
    private delegate int Words([Out] byte[] text, uint length);
    private delegate int ContextOf(out nint context, int device);
    private delegate int Context(nint context);
    private delegate int ContextOut(out nint context);
    private delegate int TwoSizes(out nuint first, out nuint second);
}
