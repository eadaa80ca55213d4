using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

internal sealed partial class DiffusersFolder
{
    /// <summary>What a mitigation did, beside the model that it made.</summary>
    public const string Mitigation = "mitigation.json";
    private const string ModelCard = "README.md";
    private static readonly string[] Licenses = ["LICENSE", "LICENSE.md", "LICENSE.txt"];
    private static readonly string[] TextFiles = [".json", ".md", ".txt"];

    /// <summary>Whether a model can be saved there; worth asking before hours of work.</summary>
    /// <exception cref="DoriException">It exists, and is a file or holds something.</exception>
    public static void CheckTarget(string target)
    {
        if (File.Exists(target)) throw new DoriException($"{target}: a file of that name exists; choose a new folder");
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new DoriException($"{target}: the folder is not empty; choose a new one");
    }

    /// <summary>Whether what a save takes over beside the model can be read; as worth asking.</summary>
    /// <param name="folder">The model's; null: there is nothing beside it.</param>
    /// <exception cref="DoriException">The card or the license cannot be read.</exception>
    public static void CheckBesides(string? folder)
    {
        if (folder is null) return;
        if (File.Exists(System.IO.Path.Combine(folder, ModelCard)))
            InputFile.ReadText(System.IO.Path.Combine(folder, ModelCard), InputKind.Card);
        foreach (string license in Licenses.Select(name => System.IO.Path.Combine(folder, name)).Where(File.Exists))
            InputFile.Open(license, InputKind.Any).Dispose();
    }

    /// <summary>
    /// Writes this model with other UNet weights: the same keys, shapes, dtypes, shards, file names and metadata, every other file of
    /// <see cref="AllFiles"/> and the license byte for byte. Weights of the UNet that were not read (pickled ones, another variant) stay
    /// behind: whoever loads the new folder must not get the old UNet. The folder appears whole or not at all.
    /// </summary>
    /// <param name="target">A folder that does not exist or is empty. <c>target.(32 hexadecimal digits).partial</c> is written first; what
    /// a killed save left there stays.</param>
    /// <param name="unetWeight">Key to weight, on any device, of any float dtype; a tensor that the call makes is disposed after it, one
    /// that was there before stays.</param>
    /// <param name="modelCard">The new <c>README.md</c>, Markdown; null keeps the original's.</param>
    /// <param name="mitigation">What was done, as <see cref="Mitigation"/> is to hold it; null: no such file.</param>
    /// <param name="textWeight">As <paramref name="unetWeight"/>, for the text encoder; null: it stays byte for byte.</param>
    /// <exception cref="DoriException">The target is taken or cannot be written, or a weight has another shape or is not finite in the
    /// stored dtype.</exception>
    public void SaveWithUNet(string target, Func<string, Tensor> unetWeight, string? modelCard, string? mitigation = null, Func<string,
        Tensor>? textWeight = null)
    {
        var replaced = new List<Replaced> { new("unet", ModelBaseName, OpenUNet, unetWeight) };
        if (textWeight is not null) replaced.Add(new Replaced("text_encoder", TextBaseName, OpenTextEncoder, textWeight));
        Assemble(target, modelCard, mitigation, partial =>
        {
            CopyTo(partial, file => !replaced.Any(part => part.Folder == file.Split('/')[0]) || IsText(file), modelCard is null);
            foreach (Replaced part in replaced) Write(part, partial);
        });
    }

    /// <summary>A new model's folder, which appears whole or not at all.</summary>
    /// <param name="write">Writes configs and weights into the folder that it is given.</param>
    /// <exception cref="DoriException">The target is taken or cannot be written, or what was written cannot be opened.</exception>
    internal static void Assemble(string target, string? modelCard, string? mitigation, Action<string> write)
    {
        target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        CheckTarget(target);
        // A name of its own: whatever else is there, under any name, is somebody's.
        string partial = $"{target}.{Guid.NewGuid():N}.partial";
        try
        {
            AtomicFile.MakeFolder(partial);
            write(partial);
            if (modelCard is not null) AtomicFile.WriteText(System.IO.Path.Combine(partial, ModelCard), modelCard);
            if (mitigation is not null) AtomicFile.WriteText(System.IO.Path.Combine(partial, Mitigation), mitigation);
            Open(partial).OpenUNet().Dispose(); // what cannot be opened must not get the name
            if (Directory.Exists(target)) Directory.Delete(target);
            Directory.Move(partial, target);
        }
        catch (Exception e)
        {
            TryDelete(partial);
            if (e is IOException or UnauthorizedAccessException) throw new DoriException($"{target}: cannot be written: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Copies files of the model, and its license, byte for byte.</summary>
    internal void CopyTo(string target, Func<string, bool> chosen, bool withCard)
    {
        IEnumerable<string> others = (withCard ? [ModelCard, .. Licenses] : Licenses).Where(name => File.Exists(PathOf(name)));
        foreach (string file in AllFiles.Where(chosen).Concat(others)) Copy(PathOf(file), System.IO.Path.Combine(target, file));
    }

    /// <summary>A component whose weights are written anew.</summary>
    private sealed record Replaced(string Folder, string BaseName, Func<WeightSet> Open, Func<string, Tensor> Weight);

    void ICheckpointSource.Save(string target, Func<string, Tensor> unetWeight, Func<string, Tensor>? textWeight, string? modelCard,
        string? mitigation) =>
        SaveWithUNet(target, unetWeight, modelCard, mitigation, textWeight);

    private void Write(Replaced part, string partial)
    {
        using WeightSet weights = part.Open();
        AtomicFile.MakeFolder(System.IO.Path.Combine(partial, part.Folder));
        bool single = weights.Files.Count == 1 && (System.IO.Path.GetFileName(weights.Files[0]) == $"{part.BaseName}.safetensors"
            || System.IO.Path.GetFileName(weights.Files[0]) == $"{part.BaseName}.fp16.safetensors");
        string[] indices = [$"{part.BaseName}.safetensors.index.json", $"{part.BaseName}.safetensors.index.fp16.json",
            $"{part.BaseName}.fp16.safetensors.index.json"];
        string? index = single ? null : indices.FirstOrDefault(name => File.Exists(System.IO.Path.Combine(PathOf(part.Folder), name)));
        if (index is not null) Copy(System.IO.Path.Combine(PathOf(part.Folder), index),
            System.IO.Path.Combine(partial, part.Folder, index));
        foreach (string path in weights.Files)
            WriteWeights(path, System.IO.Path.Combine(partial, part.Folder, System.IO.Path.GetFileName(path)), part.Weight, part.Folder);
    }

    private static bool IsText(string file) =>
        TextFiles.Contains(System.IO.Path.GetExtension(file))
            && !System.IO.Path.GetFileName(file).Contains(".index.", StringComparison.Ordinal);

    private static void WriteWeights(string from, string to, Func<string, Tensor> weight, string part)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using SafetensorsFile original = SafetensorsFile.Open(from);
        (string Name, Tensor Tensor)[] tensors =
            [.. original.Tensors.Values.Select(info => (info.Name, Stored(weight(info.Name), info, part)))];
        SafetensorsWriter.Write(to, tensors, original.Metadata.Count == 0 ? null : original.Metadata);
    }

    /// <summary>The weight as the file is to hold it.</summary>
    internal static Tensor Stored(Tensor weight, TensorInfo info, string part)
    {
        if (!weight.shape.SequenceEqual(info.Shape))
            throw new DoriException(
                $"{part} weight {info.Name} has shape ({string.Join(", ", weight.shape)}), the checkpoint stores "
                + $"({string.Join(", ", info.Shape)})");
        Tensor stored = weight.detach().to(info.Dtype);
        using Tensor finite = stored.isfinite(), all = finite.all();
        if (!all.item<bool>())
            throw new DoriException(
            $"{part} weight {info.Name} is not finite as {info.Dtype}, the checkpoint's dtype: the model would be broken");
        return stored;
    }

    private static void Copy(string from, string to)
    {
        AtomicFile.MakeFolder(System.IO.Path.GetDirectoryName(to)!);
        using FileStream source = InputFile.Open(from, InputKind.Any);
        AtomicFile.Write(to, source.CopyTo);
    }

    private static void TryDelete(string folder)
    {
        try { Directory.Delete(folder, recursive: true); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the first failure is the one to report
    }
}
