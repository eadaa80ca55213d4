using Dori.Checkpoints;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Inputs;

/// <summary>The built-in model in a folder of its own, with what a test changes; gone afterwards.</summary>
internal sealed class CopiedModel : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("dori-model-").FullName;

    public CopiedModel()
    {
        foreach (string part in new[] { "unet", "vae", "text_encoder", "tokenizer", "scheduler" })
        {
            Directory.CreateDirectory(PathOf(part));
            foreach (string file in Directory.GetFiles(Path.Combine(Golden.EmojiModel, part)))
                File.CreateSymbolicLink(PathOf($"{part}/{Path.GetFileName(file)}"), file);
        }
        foreach (string file in Directory.GetFiles(Golden.EmojiModel, "*.json")) File.Copy(file, PathOf(Path.GetFileName(file)));
    }

    public string PathOf(string file) => Path.Combine(Folder, file);

    public string Read(string file) => File.ReadAllText(PathOf(file));

    public void Write(string file, string content)
    {
        File.Delete(PathOf(file)); // a link to the model itself
        File.WriteAllText(PathOf(file), content);
    }

    public void Delete(string file) => File.Delete(PathOf(file));

    /// <summary>A weight file with further tensors.</summary>
    public void AddTensors(string file, params (string Name, Tensor Tensor)[] tensors)
    {
        using var scope = NewDisposeScope();
        using (SafetensorsFile original = SafetensorsFile.Open(Path.Combine(Golden.EmojiModel, file)))
        {
            File.Delete(PathOf(file));
            SafetensorsWriter.Write(PathOf(file), [.. original.Tensors.Keys.Select(name => (name, original.Read(name))), .. tensors]);
        }
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
