using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorchSharp;

namespace Dori.Native;

/// <summary>
/// libtorch's switches that TorchSharp does not have, by the names that libtorch exports (at::Context and torch::jit). Where one is missing
/// nothing is switched: another system's libtorch, or another version's.
/// </summary>
internal static partial class TorchContext
{
    private const string Global = "_ZN2at13globalContextEv";
    private const string Workspace = "CUBLAS_WORKSPACE_CONFIG", WorkspaceOf = ":4096:8"; // as libtorch's documentation asks

    /// <summary>
    /// Numbers of float32 are multiplied as such, not as TF32 with its 10 bits, which cuDNN's convolutions would do by themselves; and a
    /// copy detector is not compiled on its way, which would round differently after its first calls.
    /// </summary>
    public static void Exact()
    {
        Set("_ZN2at7Context18setAllowTF32CuBLASEb", false);
        Set("_ZN2at7Context17setAllowTF32CuDNNEb", false);
        NativeLibraries.Loaded?.Function<Switch>("_ZN5torch3jit25setTensorExprFuserEnabledEb")?.Invoke(0);
    }

    /// <summary>
    /// Whether the same command gives the same bytes on one kind of GPU: algorithms without such a promise are errors then. On the CPU
    /// it is so anyway.
    /// </summary>
    /// <exception cref="DoriException">This libtorch has no such switch.</exception>
    public static void Deterministic(bool on)
    {
        if (on && OperatingSystem.IsLinux()) _ = SetEnvironment(Workspace, WorkspaceOf, overwrite: 0);
        bool known = NativeLibraries.Loaded?.Function<TwoSwitches>("_ZN2at7Context26setDeterministicAlgorithmsEbb") is { } set
            && NativeLibraries.Loaded.Function<Instance>(Global) is { } instance && Switched(set, instance(), on);
        if (on && !known) throw new DoriException("`Deterministic`: this libtorch has no switch for it; take "
            + $"PyTorch {Libtorch.Works} on Linux, or leave it out");
        Set("_ZN2at7Context39setDeterministicFillUninitializedMemoryEb", false); // costs time, and nothing here reads what it fills
        Set("_ZN2at7Context21setDeterministicCuDNNEb", on);
        Set("_ZN2at7Context17setBenchmarkCuDNNEb", false);
        Set("_ZN2at7Context14setSDPUseCuDNNEb", !on);
    }

    private static bool Switched(TwoSwitches set, nint context, bool on)
    {
        set(context, on ? (byte)1 : (byte)0, 0);
        return true;
    }

    /// <summary>Whether libtorch refuses algorithms that may give other bytes another time.</summary>
    public static bool IsDeterministic => Get("_ZNK2at7Context23deterministicAlgorithmsEv");
    /// <summary>Whether products of float32 may be computed in TF32.</summary>
    public static bool AllowsTf32 => Get("_ZNK2at7Context15allowTF32CuBLASEv");

    /// <summary>How libtorch was built, in its own words; empty where it does not say.</summary>
    public static string Config
    {
        get
        {
            if (NativeLibraries.Loaded?.Function<TextOut>("_ZN2at11show_configB5cxx11Ev") is not { } call) return "";
            nint text = Marshal.AllocHGlobal(32); // a std::string: address, length, room for a short one
            try
            {
                call(text);
                return Marshal.PtrToStringUTF8(Marshal.ReadIntPtr(text), (int)Marshal.ReadInt64(text, nint.Size));
            }
            finally
            {
                Marshal.FreeHGlobal(text); // what it points to stays: asked once or twice in a process
            }
        }
    }

    /// <summary>The version of CUDA that this libtorch is for, such as 12.8; null where it is for none.</summary>
    public static string? Cuda => Match(CudaLine().Match(Config));

    /// <summary>cuDNN's; null where there is none.</summary>
    public static string? CuDnn => Match(CuDnnLine().Match(Config));

    private static string? Match(Match match) => match.Success ? match.Groups[1].Value : null;

    [GeneratedRegex(@"CUDA Runtime ([\d.]+)")]
    private static partial Regex CudaLine();

    [GeneratedRegex(@"CuDNN ([\d.]+)")]
    private static partial Regex CuDnnLine();

    private static void Set(string setter, bool value)
    {
        if (NativeLibraries.Loaded is { } torch && torch.Function<Instance>(Global) is { } instance
            && torch.Function<Member>(setter) is { } set) set(instance(), value ? (byte)1 : (byte)0);
    }

    private static bool Get(string getter) => NativeLibraries.Loaded is { } torch && torch.Function<Instance>(Global) is { } instance
        && torch.Function<Question>(getter) is { } get && get(instance()) != 0;

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)] // the runtime's own does not reach libtorch
    private static partial int SetEnvironment(string name, string value, int overwrite);

    private delegate nint Instance();
    private delegate void Switch(byte value);
    private delegate void Member(nint context, byte value);
    private delegate void TwoSwitches(nint context, byte first, byte second);
    private delegate byte Question(nint context);
    private delegate void TextOut(nint result);
}
