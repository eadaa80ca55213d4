using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>Loads networks that come as TorchScript, which is a program: see <see cref="TorchScriptCopyDetector"/>.</summary>
internal static class TorchScriptFile
{
    /// <param name="wanted">Ends the refusal of another kind of file: which one to take.</param>
    /// <returns>The module in evaluation mode, and the SHA-256 of the very bytes that it was made of.</returns>
    /// <exception cref="DoriException">It cannot be read, or is no TorchScript: one line that says what it is.</exception>
    public static (jit.ScriptModule<Tensor, Tensor> Module, string Sha256) Load(string file, string wanted, Device device)
    {
        try
        {
            byte[] bytes = InputFile.ReadBytes(file, InputKind.Network);
            if (Kind(bytes) is { } kind) throw new DoriException($"{file}: {kind}; {wanted}");
            jit.ScriptModule<Tensor, Tensor> module = jit.load<Tensor, Tensor>(bytes, device);
            module.eval();
            return (module, Sha256Text.Of(bytes));
        }
        // libtorch answers with pages of its own stack.
        catch (Exception e) when (e is ExternalException or InvalidOperationException)
        {
            string line = e.Message.Split('\n')[0].Trim();
            throw new DoriException($"{file}: not a TorchScript file that can be loaded "
                + $"({(line.Length > 100 ? line[..100] + "..." : line)}); {wanted}", e);
        }
    }

    /// <summary>What a file is that is plainly no TorchScript; null where libtorch has to say.</summary>
    private static string? Kind(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 0) return "an empty file";
        if (bytes[0] == 0x80) return "pickled weights, without the program that uses them";
        if (bytes.StartsWith("PK"u8) && bytes.LastIndexOf("PK\u0005\u0006"u8) < 0) // a zip's table of contents is its end
            return "an archive that is cut off: copy or download it again";
        if (bytes.StartsWith("PK"u8))
            return bytes.IndexOf("/code/"u8) < 0 && bytes.IndexOf("constants.pkl"u8) < 0
                ? "pickled weights (a state dict), without the program that uses them" : null;
        return bytes.Length > 9 && bytes[8] == (byte)'{' ? "a safetensors file: weights, without the program that uses them"
            : TextFile.Start(bytes) is { } start ? $"a text that begins \"{start}\", not a network" : "not a TorchScript file";
    }
}
