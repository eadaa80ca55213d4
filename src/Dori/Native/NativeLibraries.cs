using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Dori.Native;

/// <summary>
/// Makes TorchSharp load where the system's libstdc++ is older than GCC 13's (Debian 12, Ubuntu 22.04).
/// <c>libLibTorchSharp.so</c> asks for GLIBCXX_3.4.32 because of one symbol that only initialises iostreams, which older
/// versions do by themselves. Where the version is missing, a copy without that need is put into a cache folder and loaded first;
/// elsewhere nothing is done. A libtorch folder named in the environment variable DORI_LIBTORCH is preferred to the package's.
/// </summary>
public static class NativeLibraries
{
    private const string NeededVersion = "GLIBCXX_3.4.32";
    private const string Library = "libLibTorchSharp.so";
    private static readonly Lock s_once = new();
    private static bool s_done;

#pragma warning disable CA2255 // A library may use a module initializer where it must act before another library's static constructor.
    [ModuleInitializer]
    internal static void Initialize() => Prepare();
#pragma warning restore CA2255

    /// <summary>Runs once, before the first use of TorchSharp; later calls do nothing.</summary>
    public static void Prepare()
    {
        lock (s_once)
        {
            if (s_done) return;
            s_done = true;
            if (!OperatingSystem.IsLinux()) return;
            if (Environment.GetEnvironmentVariable("DORI_LIBTORCH") is { Length: > 0 } folder) LoadLibtorch(folder);
            if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || SystemHasVersion()) return;
            string? original = Find(Library);
            if (original is null) return; // TorchSharp's own message says what is missing
            string patched = PatchedCopy(original);
            if (Find("libtorch.so") is { } libtorch) NativeLibrary.TryLoad(libtorch, out _);
            NativeLibrary.TryLoad(patched, out _); // the loader then finds it by its SONAME
        }
    }

    private static void LoadLibtorch(string folder)
    {
        foreach (string name in new[] { "libc10.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch.so" })
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path)) NativeLibrary.TryLoad(path, out _);
        }
    }

    /// <summary>The runtime itself has loaded a libstdc++: its file says which versions it defines.</summary>
    private static bool SystemHasVersion()
    {
        try
        {
            string? path = InputFile.ReadLines("/proc/self/maps", InputKind.System)
                .Where(line => line.Contains("libstdc++.so", StringComparison.Ordinal))
                .Select(line => line[line.IndexOf('/', StringComparison.Ordinal)..])
                .FirstOrDefault();
            return path is null || InputFile.ReadBytes(path, InputKind.Network).AsSpan().IndexOf("GLIBCXX_3.4.32\0"u8) >= 0;
        }
        catch (DoriException)
        {
            return true;
        }
    }

    private static string? Find(string name)
    {
        string listed = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        IEnumerable<string> folders = listed.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Append(AppContext.BaseDirectory)
            .Append(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native"));
        return folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
    }

    private static string PatchedCopy(string original)
    {
        byte[] bytes = InputFile.ReadBytes(original, InputKind.Network);
        string hash = Convert.ToHexStringLower(SHA256.HashData(bytes))[..16];
        string cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        foreach (string root in new[] { cache, Path.GetTempPath() }) // a home folder may be read-only
        {
            string path = Path.Combine(root, "dori", "native", hash, Library);
            if (File.Exists(path)) return path;
            try
            {
                ElfPatch.DropVersionNeed(bytes, NeededVersion, substitute: "floor");
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                string temporary = $"{path}.{Environment.ProcessId}";
                File.WriteAllBytes(temporary, bytes);
                File.Move(temporary, path, overwrite: true);
                return path;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                bytes = InputFile.ReadBytes(original, InputKind.Network);
            }
        }
        return original;
    }
}
