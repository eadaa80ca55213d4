using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Dori.Native;

/// <summary>
/// Loads what TorchSharp computes with, whole or not at all: a libtorch that lacks something is refused before anything is computed. A
/// libtorch folder named in the environment variable DORI_LIBTORCH takes the place of one that comes with the program.
/// <c>libLibTorchSharp.so</c> asks for GLIBCXX_3.4.32 because of one symbol that only initialises iostreams, which older versions
/// of libstdc++ do by themselves (Debian 12, Ubuntu 22.04). Where the version is missing, a copy without that need is put into a cache
/// folder and loaded first; elsewhere it is loaded as it is.
/// </summary>
public static class NativeLibraries
{
    private const string NeededVersion = "GLIBCXX_3.4.32";
    private const string Binding = "libLibTorchSharp.so";
    private static readonly Lock s_once = new();
    private static bool s_prepared;
    private static nint s_binding;
    private static DoriException? s_refused;

#pragma warning disable CA2255 // A library may use a module initializer where it must act before another library's static constructor.
    [ModuleInitializer]
    internal static void Initialize() => Prepare();
#pragma warning restore CA2255

    /// <summary>
    /// Runs once, before the first use of TorchSharp; later calls do nothing. What goes wrong is said when something is to be computed.
    /// </summary>
    public static void Prepare()
    {
        lock (s_once)
        {
            if (s_prepared) return;
            s_prepared = true;
            if (!IsKnown) return;
            try
            {
                NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, Resolve);
            }
            catch (InvalidOperationException)
            {
                // The program has set one of its own: what it loads is what it wants.
            }
            // TorchSharp looks for its library by itself; where it would find one that cannot be loaded, ours has to be there before.
            if (Named is not null || !SystemHasVersion()) Load(Named);
        }
    }

    /// <summary>Whether this system's loader and calling convention are those that this file knows.</summary>
    private static bool IsKnown => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>The folder that the user names; null where none is.</summary>
    internal static string? Named =>
        Environment.GetEnvironmentVariable(Libtorch.Variable) is { Length: > 0 } folder ? folder : null;

    /// <summary>The libtorch that comes with the program; null where it was built without.</summary>
    internal static string? Own => Path.GetDirectoryName(Find("libtorch_cpu.so"));

    /// <summary>What was loaded; null where nothing was, or on a system of which this file knows nothing.</summary>
    internal static Libtorch? Loaded { get; private set; }

    /// <summary>Where the binding was loaded from; null like <see cref="Loaded"/>.</summary>
    internal static string? BindingPath { get; private set; }

    /// <summary>libtorch's own; the binding's where it does not say.</summary>
    internal static string Version => Loaded?.Version ?? torch.__version__;

    /// <exception cref="DoriException">There is no libtorch to compute with, or one that cannot be used.</exception>
    internal static void Require()
    {
        if (!IsKnown) return;
        lock (s_once)
        {
            if (s_binding == 0 && s_refused is null) Load(Named);
            if (s_refused is { } refused) throw new DoriException(refused.Message, refused);
        }
    }

    /// <summary>As <see cref="Require"/>; a libtorch of another minor version has to show that it computes what it should.</summary>
    /// <returns>What is to be said of it; null where it is the one that the binding is made for.</returns>
    /// <exception cref="DoriException">There is no libtorch to compute with, or one that cannot be used.</exception>
    internal static string? Check()
    {
        Require();
        return s_warning.Value;
    }

    private static readonly Lazy<string?> s_warning = new(() =>
    {
        TorchContext.Exact();
        if (Loaded is not { IsMade: false } other) return null;
        string version = $"libtorch {other.Version ?? "of an unknown version"} ({other.Folder})";
        if (SelfTest.Problem(torch.CPU) is { } problem)
            throw new DoriException($"{version}: {problem}; dori's binding is made for {Libtorch.Made}. Take PyTorch {Libtorch.Works}");
        return $"{version} is another than the one that dori's binding is made for ({Libtorch.Made}); it has every symbol, and a test of "
            + "its numbers passed.";
    });

    /// <summary>Loads the libtorch of a folder where none is loaded yet.</summary>
    /// <exception cref="DoriException">It cannot be used.</exception>
    internal static void Use(string folder)
    {
        lock (s_once)
        {
            if (s_binding != 0) return;
            Load(folder);
            Require();
        }
    }

    /// <summary>Whatever TorchSharp calls, it calls in the library that was looked through.</summary>
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != "LibTorchSharp") return 0;
        Require();
        return s_binding;
    }

    private static void Load(string? folder)
    {
        s_refused = null;
        try
        {
            if (Find(Binding) is not { } original)
                throw new DoriException($"{AppContext.BaseDirectory}: {Binding} is missing from this installation; install dori anew");
            if (folder is not null && Own is { } own && !SameFolder(own, folder))
                throw new DoriException($"{Libtorch.Variable} {folder}: this build brings a libtorch of its own ({own}), and two cannot be "
                    + $"loaded; unset {Libtorch.Variable}, or build with -p:TorchBackend=none");
            Loaded = Libtorch.Load(folder ?? Own ?? throw NoLibtorch());
            string path = SystemHasVersion() ? original : PatchedCopy(original);
            Loaded.RefuseUnlessComplete(InputFile.ReadBytes(path, InputKind.Network));
            s_binding = NativeLibrary.Load(path); // TorchSharp's own search then finds it by its SONAME
            BindingPath = path;
        }
        catch (DoriException e)
        {
            s_refused = e;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or InvalidDataException)
        {
            s_refused = new DoriException($"{Binding} cannot be loaded: {Libtorch.LoaderWords(e)}", e);
        }
    }

    private static DoriException NoLibtorch() => new("there is no libtorch to compute with: this build brings none; set "
        + $"{Libtorch.Variable} to the `lib` folder of a PyTorch {Libtorch.Works}; `dori doctor --python python3` finds it");

    private static bool SameFolder(string own, string folder) =>
        Path.TrimEndingDirectorySeparator(Path.GetFullPath(own)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

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
        string hash = Sha256Text.Of(bytes)[..16];
        string cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        foreach (string root in new[] { cache, Path.GetTempPath() }) // a home folder may be read-only
        {
            string path = Path.Combine(root, "dori", "native", hash, Binding);
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
