namespace Dori.Checkpoints;

internal sealed partial class DiffusersFolder
{
    private const int DeepestFolder = 8;
    private static readonly string[] Folders =
        ["clip", "copy_detector", "feature_extractor", "image_encoder", "safety_checker", "scheduler", "text_encoder", "text_encoder_2",
            "tokenizer", "tokenizer_2", "unet", "vae"];
    private static readonly string[] RootFiles = ["dori.json", "model_index.json"];

    /// <summary>
    /// The files that make up the model, relative, with <c>/</c>, sorted by ordinal: everything in the components' folders (and in
    /// <c>clip</c> and <c>copy_detector</c>, which the built-in model brings), <c>model_index.json</c> and <c>dori.json</c>. Hidden files,
    /// the model card and pictures are not the model.
    /// </summary>
    public IReadOnlyList<string> AllFiles
    {
        get
        {
            var files = new List<string>(RootFiles.Where(name => File.Exists(PathOf(name))));
            foreach (string folder in Folders.Where(name => Directory.Exists(PathOf(name)))) Collect(folder, 1, files);
            files.Sort(StringComparer.Ordinal);
            return files;
        }
    }

    /// <summary>SHA-256 of every one of <see cref="AllFiles"/>, in lower-case hex.</summary>
    /// <exception cref="DoriException">A file that cannot be read.</exception>
    public IReadOnlyList<(string File, string Sha256)> FileHashes() => FileHashes(_ => true);

    /// <summary>As <see cref="FileHashes()"/>, of some of the files.</summary>
    internal IReadOnlyList<(string File, string Sha256)> FileHashes(Func<string, bool> chosen) =>
        [.. AllFiles.Where(chosen).Select(file => (file, InputFile.Sha256(PathOf(file), InputKind.Any)))];

    /// <summary>One hash for the folder; see <see cref="Checkpoint.Sha256()"/>.</summary>
    /// <exception cref="DoriException">A file that cannot be read.</exception>
    public string Sha256() => Checkpoint.Sha256Of(FileHashes());

    private void Collect(string folder, int depth, List<string> files)
    {
        try
        {
            foreach (FileSystemInfo entry in new DirectoryInfo(PathOf(folder)).EnumerateFileSystemInfos())
            {
                if (entry.Name.StartsWith('.')) continue;
                string name = $"{folder}/{entry.Name}";
                if (entry is FileInfo) files.Add(name);
                // Files may be links (the Hugging Face cache is made of them); a linked folder may lead round in a circle.
                else if (entry.LinkTarget is null && depth < DeepestFolder) Collect(name, depth + 1, files);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DoriException($"{PathOf(folder)}: cannot be read: {e.Message}", e);
        }
    }
}
