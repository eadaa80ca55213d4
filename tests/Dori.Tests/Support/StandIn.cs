using System.Runtime.InteropServices;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Support;

/// <summary>
/// A device that is not the CPU, on a machine that has none: libtorch's lazy backend, which computes on the CPU and, as CUDA does, throws
/// where a tensor of another device comes among its own. What it cannot do: <c>chunk</c> and <c>unbind</c> under gradients,
/// <c>jit.load</c>. It keeps every operation until a value is asked for and compiles them then, a second for a pass of the smallest UNet:
/// as little as there can be is computed here. One thread at a time.
/// </summary>
internal static class StandIn
{
    public const string Name = "standin";

    private static readonly Lazy<Device> s_device = new(() =>
    {
        zeros(1).Dispose(); // libtorch is loaded now
        nint library = NativeLibrary.Load("libtorch_cpu.so", typeof(torch).Assembly, null);
        Call<Initialize>(library, "_ZN5torch4lazy22InitTorchScriptBackendEv")(); // torch::lazy::InitTorchScriptBackend()
        // What runs here runs once: to optimise it would take far longer.
        Call<Set>(library, "_ZN5torch3jit24setGraphExecutorOptimizeEb")(0);
        const DeviceType lazy = (DeviceType)17;
        Devices.Others[Name] = lazy;
        return new Device(lazy, 0);
    });

    public static Device Device => s_device.Value;

    private static T Call<T>(nint library, string symbol) where T : Delegate =>
        Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(library, symbol));

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Initialize();
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Set(byte value);
}
