using System.Globalization;
using System.Runtime.InteropServices;

namespace Dori.Native;

/// <summary>
/// The libtorch that a process computes with: loaded whole or refused. TorchSharp's binding is made for one minor version and loaded with
/// late binding, which hides what another version lacks until wrong numbers come out; so every symbol that it asks for is looked up first.
/// </summary>
internal sealed class Libtorch
{
    /// <summary>The minor version that the binding is made for.</summary>
    public const string Made = "2.10";
    /// <summary>What to give whoever has another one. 2.11 was tried with the same bytes as 2.10.</summary>
    public const string Works = "2.10 (2.11 was tried and works)";
    public const string Variable = "DORI_LIBTORCH";
    /// <summary>In the order of their needs; not every build has all.</summary>
    private static readonly string[] s_libraries = ["libc10.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch.so"];

    private readonly nint[] _handles;

    private Libtorch(string folder, nint[] handles) => (Folder, _handles) = (folder, handles);

    public string Folder { get; }

    /// <summary>Of its functions' first value, such as 2.10.0; null where it does not say.</summary>
    public string? Version
    {
        get
        {
            if (Function<AbiVersion>("aoti_torch_abi_version") is not { } call) return null;
            ulong packed = call();
            return string.Create(CultureInfo.InvariantCulture, $"{packed >> 56}.{(packed >> 48) & 0xff}.{(packed >> 40) & 0xff}");
        }
    }

    /// <summary>Whether it is of the minor version that the binding is made for.</summary>
    public bool IsMade => Version?.StartsWith(Made + ".", StringComparison.Ordinal) == true;

    /// <param name="folder">Of libtorch's libraries, or the folder of PyTorch above it.</param>
    /// <exception cref="DoriException">They are not there, or one cannot be loaded: with the loader's own words.</exception>
    public static Libtorch Load(string folder)
    {
        string own = File.Exists(Path.Combine(folder, s_libraries[1])) ? folder : Path.Combine(folder, "lib");
        if (!File.Exists(Path.Combine(own, s_libraries[1])))
            throw new DoriException(
                $"{Variable} {folder}: {(Directory.Exists(folder) ? $"there is no {s_libraries[1]} in it" : "there is no such folder")}; "
                + $"name the `lib` folder of a PyTorch {Works}");
        var handles = new List<nint>();
        foreach (string path in s_libraries.Select(name => Path.Combine(own, name)).Where(File.Exists))
        {
            try
            {
                handles.Add(NativeLibrary.Load(path));
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                throw new DoriException($"{path}: it cannot be loaded: {LoaderWords(e)}", e);
            }
        }
        return new Libtorch(own, [.. handles]);
    }

    /// <summary>The line of a loader's message that says why: the runtime lists every place where it looked.</summary>
    public static string LoaderWords(Exception e)
    {
        string[] lines = e.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return lines.Skip(1).FirstOrDefault(line => !IsAttempt(line)) ?? lines.FirstOrDefault() ?? e.Message;
    }

    /// <summary>A path that the runtime made up and did not find; a name alone is a library that is needed and missing.</summary>
    private static bool IsAttempt(string line) =>
        line.StartsWith('/') && line.EndsWith(": No such file or directory", StringComparison.Ordinal);

    /// <exception cref="DoriException">The binding asks for symbols that this libtorch lacks.</exception>
    /// <param name="binding">The bytes of libLibTorchSharp.so.</param>
    public void RefuseUnlessComplete(ReadOnlySpan<byte> binding)
    {
        string[] missing = [.. ElfFile.UnversionedImports(binding).Where(name => Find(name) == 0)];
        if (missing.Length == 0) return;
        string which = string.Join(", ", missing.Take(3)) + (missing.Length > 3 ? ", ..." : "");
        throw new DoriException(
            $"{Folder}: this is libtorch {Version ?? "of an unknown version"}, which lacks {missing.Length} of the symbols that dori's "
            + $"binding asks for ({which}); with it numbers would come out wrong. Take PyTorch {Works}");
    }

    /// <returns>A function's or variable's address; 0 where there is none.</returns>
    private nint Find(string symbol)
    {
        foreach (nint handle in _handles)
            if (NativeLibrary.TryGetExport(handle, symbol, out nint address)) return address;
        return 0;
    }

    /// <returns>null where this libtorch does not export it</returns>
    public T? Function<T>(string symbol) where T : Delegate =>
        Find(symbol) is var address and not 0 ? Marshal.GetDelegateForFunctionPointer<T>(address) : null;

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate ulong AbiVersion();
}
