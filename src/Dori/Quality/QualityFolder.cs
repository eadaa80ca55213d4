using System.Text.Json;
using Dori.Checkpoints;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Quality;

/// <summary>
/// A quality run on disk: <c>manifest.json</c>, one file of features for each chunk of captions, the pictures, and <c>quality.json</c>.
/// Every file appears whole or not at all; a chunk exists once its file does, which is written after its pictures.
/// </summary>
internal sealed class QualityFolder
{
    private readonly string _path;

    private QualityFolder(string path) => _path = path;

    /// <summary>Opens a folder to add to, or makes it.</summary>
    /// <exception cref="DoriException">It holds another run, or something else.</exception>
    public static QualityFolder Create(string path, QualityManifest manifest)
    {
        string file = Path.Combine(path, "manifest.json"),
            text = JsonSerializer.Serialize(manifest, QualityJson.Default.QualityManifest) + "\n";
        if (File.Exists(file))
        {
            string there = InputFile.ReadText(file, InputKind.Record);
            if (there != text)
                throw new DoriException(
                    $"{path} holds another run ({Difference(there, text)}); choose another folder with -o, or give the same options to "
                    + $"resume it");
            return new QualityFolder(path);
        }
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new DoriException($"{path} is not empty and holds no manifest.json; choose another folder with -o");
        AtomicFile.MakeFolder(path);
        AtomicFile.WriteText(file, text);
        return new QualityFolder(path);
    }

    public bool Has(int chunk) => File.Exists(ChunkPath(chunk));

    /// <summary>Pictures first, the chunk's file last.</summary>
    /// <param name="pictures">By the caption's index and the generation's number.</param>
    public void Write(int chunk, IReadOnlyList<(string Name, Tensor Tensor)> tensors,
        IReadOnlyList<(int Index, int Generation, Tensor Picture)> pictures)
    {
        AtomicFile.MakeFolder(Path.Combine(_path, "pictures"));
        AtomicFile.MakeFolder(Path.Combine(_path, "chunks"));
        foreach ((int index, int generation, Tensor picture) in pictures) Picture.Save(PicturePath(index, generation), picture);
        SafetensorsWriter.Write(ChunkPath(chunk), tensors);
    }

    /// <summary>A chunk's tensors by name.</summary>
    /// <exception cref="DoriException">Damaged.</exception>
    public IReadOnlyDictionary<string, Tensor> Read(int chunk)
    {
        using SafetensorsFile file = SafetensorsFile.Open(ChunkPath(chunk));
        return file.Tensors.Keys.ToDictionary(name => name, file.Read, StringComparer.Ordinal);
    }

    public string PicturePath(int index, int generation) => Path.Combine(_path, "pictures", $"{index:000000}-{generation}.png");

    public void WriteSummary(QualitySummary summary) =>
        AtomicFile.WriteText(Path.Combine(_path, "quality.json"),
            JsonSerializer.Serialize(summary, QualityJson.Default.QualitySummary) + "\n");

    private string ChunkPath(int chunk) => Path.Combine(_path, "chunks", $"{chunk:00000}.safetensors");

    private static string Difference(string there, string here)
    {
        (string First, string Second)[] lines = [.. there.Split('\n').Zip(here.Split('\n'))];
        (string a, string b) = lines.FirstOrDefault(pair => pair.First != pair.Second);
        return a is null ? "of another length" : $"{a.Trim().TrimEnd(',')} there, {b.Trim().TrimEnd(',')} here";
    }
}
