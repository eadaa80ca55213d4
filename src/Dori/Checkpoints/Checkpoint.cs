using System.Globalization;
using System.Text;
using Dori.Checkpoints.Adapters;
using Dori.Checkpoints.SingleFile;
using Dori.Checkpoints.Words;
using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>What a model is opened with, beside its path.</summary>
public sealed record CheckpointOptions
{
    /// <summary>LoRA files or folders with the scale of each, added in this order.</summary>
    public IReadOnlyList<(string Path, double Scale)> Adapters { get; init; } = [];
    /// <summary>Textual inversions: files of words that the model's own vocabulary lacks.</summary>
    public IReadOnlyList<string> Embeddings { get; init; } = [];
    /// <summary>For a single file: a diffusers folder that configs and missing parts come from; null: built-in configs.</summary>
    public string? Config { get; init; }
    /// <summary>For a single file: <c>epsilon</c> or <c>v_prediction</c>; null: what the file, a config or the weights say.</summary>
    public string? PredictionType { get; init; }
}

/// <summary>
/// The model that is worked on: a base and the adapters merged into it. Everything that decides its weights comes through here: configs,
/// weights, and the hashes that stand in records and keys. Opening checks configs and adapters; weights are read, and changed on the way,
/// where a component is opened.
/// </summary>
public sealed class Checkpoint
{
    private readonly ICheckpointSource _base;
    private readonly IReadOnlyList<TrainedWord> _words;

    private Checkpoint(ICheckpointSource source, IReadOnlyList<Adapter> adapters, IReadOnlyList<TrainedWord> words)
    {
        (_base, Adapters, _words) = (source, adapters, words);
        Words = new CheckpointWords(source, words, adapters);
    }

    /// <summary>The base's, as given.</summary>
    public string Path => _base.Path;
    /// <summary>
    /// The folder that <c>dori.json</c>, the model card, <c>clip</c> and <c>copy_detector</c> lie in; null where there is none.
    /// </summary>
    public string? Folder => _base.Folder;
    public UNetConfig UNet => _base.UNet;
    public VaeConfig Vae => _base.Vae;
    public ClipTextConfig TextEncoder => _base.TextEncoder with { VocabSize = Words.Rows };
    /// <summary>SDXL's second one; null where the model has none.</summary>
    public ClipTextConfig? TextEncoder2 => _base.TextEncoder2;
    /// <summary>Whether guidance moves away from zeros, and not from the empty prompt.</summary>
    internal bool ForcesZeros => _base.ForcesZeros;
    public SchedulerConfig Scheduler => _base.Scheduler;
    internal IReadOnlyList<Adapter> Adapters { get; }
    /// <summary>Of textual inversion, from files of their own and from the adapters' files.</summary>
    internal CheckpointWords Words { get; }
    /// <summary>What was read otherwise than it is written, or taken for granted: for every run and report. One sentence each.</summary>
    public IReadOnlyList<string> Notes => Collected.Said;
    /// <summary>What was passed over without loss: for <c>info</c>. One sentence each.</summary>
    public IReadOnlyList<string> Details => Collected.Details;

    internal ModelNotes Collected
    {
        get
        {
            ModelNotes notes = _base.Collected.Copy();
            foreach (string note in Adapters.SelectMany(adapter => adapter.Notes).Concat(Words.Notes)) notes.Say(note);
            return notes;
        }
    }

    internal ICheckpointSource Base => _base;

    /// <summary>"emoji", "emoji + kohya", "emoji + kohya x 0.6", "emoji + my-toy" with a word.</summary>
    public string Name => string.Join(" + ", [BaseName(_base.Path), .. Adapters.Select(adapter => adapter.NameAndScale),
        .. Words.Names]);

    /// <param name="path">A diffusers folder, or a single safetensors file.</param>
    /// <exception cref="DoriException">No model, one that is not supported, or an adapter that does not belong to it.</exception>
    public static Checkpoint Open(string path, CheckpointOptions? options = null)
    {
        options ??= new CheckpointOptions();
        if (AdapterInfo.IsAdapter(path)) throw NoModel.At(path);
        ICheckpointSource source = IsSingleFile(path) ? SingleFileModel.Open(path, options.Config, options.PredictionType)
            : OpenFolder(path, options);
        var adapters = new List<Adapter>();
        if (options.Adapters.Count > 0)
        {
            AdapterTargets targets = Targets(source);
            foreach ((string file, double scale) in options.Adapters) adapters.Add(Adapter.Open(file, scale, targets, BaseName(path)));
        }
        if (source.TextEncoder2 is not null && options.Embeddings.Count > 0)
            throw new DoriException($"`Embedding` {options.Embeddings[0]}: words of textual inversion are not read for models with two "
                + "text encoders");
        int width = source.TextEncoder.HiddenSize;
        return new Checkpoint(source, adapters, [.. options.Embeddings.SelectMany(file => WordFile.Read(file, width))]);
    }

    private static bool IsSingleFile(string path) => File.Exists(path) && System.IO.Path.GetExtension(path) == ".safetensors";

    private static DiffusersFolder OpenFolder(string path, CheckpointOptions options)
    {
        if (options.Config is not null && Directory.Exists(path))
            throw new DoriException($"`Config` {options.Config}: {path} is a folder with its own configs; the option is for single files");
        DiffusersFolder folder = DiffusersFolder.Open(path);
        return options.PredictionType is not { } type || type == folder.Scheduler.PredictionType ? folder
            : throw new DoriException(
                $"`PredictionType` {type}: {path} is a folder, whose scheduler/scheduler_config.json says "
                + $"{folder.Scheduler.PredictionType}; the option is for single files");
    }

    /// <summary>The base, with the words that were given beside it.</summary>
    internal Checkpoint WithoutAdapters() => new(_base, [], _words);

    internal WeightSet OpenUNet() => Changed(_base.OpenUNet(), AdapterPart.UNet, key => key);
    internal WeightSet OpenTextEncoder() => Words.AddTo(OpenOwnTextEncoder());
    /// <summary>Without the rows of added words.</summary>
    private WeightSet OpenOwnTextEncoder() => Changed(_base.OpenTextEncoder(), AdapterPart.Text, CheckpointKeys.TextEncoder);
    internal WeightSet OpenTextEncoder2() => _base.OpenTextEncoder2();
    internal ClipTokenizer OpenTokenizer2() => _base.OpenTokenizer2();
    internal WeightSet OpenVae() => _base.OpenVae();
    public ClipTokenizer OpenTokenizer() => Words.AddTo(_base.OpenTokenizer());

    /// <summary>
    /// SHA-256 of every file that decides what the model is, in lower-case hex: the base's by their names in it, then each adapter's with
    /// its place and scale.
    /// </summary>
    /// <exception cref="DoriException">A file that cannot be read.</exception>
    public IReadOnlyList<(string File, string Sha256)> FileHashes() =>
        [.. _base.FileHashes(), .. Adapters.SelectMany((adapter, i) => AdapterHashes(adapter, i)), .. Words.Hashes()];

    /// <summary>
    /// One hash for the model: SHA-256 of the lines <c>hash, two blanks, file</c> of <see cref="FileHashes"/>, as <c>sha256sum</c> prints
    /// them.
    /// </summary>
    /// <exception cref="DoriException">A file that cannot be read.</exception>
    public string Sha256() => Sha256Of(FileHashes());

    /// <inheritdoc cref="Sha256"/>
    public static string Sha256Of(IReadOnlyList<(string File, string Sha256)> hashes) =>
        Sha256Text.Of(string.Concat(hashes.Select(pair => $"{pair.Sha256}  {pair.File}\n")));

    /// <summary>
    /// Writes the model as a diffusers folder with other UNet weights; adapters are merged into it, so that it is whole, and the card says
    /// so. Added words stay in their files, which fit the new model as they did the old one. See
    /// <see cref="DiffusersFolder.SaveWithUNet"/>.
    /// </summary>
    public void SaveWithUNet(string target, Func<string, Tensor> unetWeight, string? modelCard, string? mitigation = null)
    {
        bool textChanges = Adapters.Any(adapter => adapter.Layers.Any(layer => layer.Part == AdapterPart.Text));
        using WeightSet? text = textChanges ? OpenOwnTextEncoder() : null;
        string? card = Adapters.Count == 0 ? modelCard : $"{modelCard}\n{MergedNote()}";
        _base.Save(target, unetWeight, text is null ? null : text.Read, Words.All.Count == 0 ? card : $"{card}\n{Words.CardNote()}",
            mitigation);
    }

    /// <summary>For the card of a model that adapters were merged into.</summary>
    private string MergedNote()
    {
        var note = new StringBuilder("## Adapters\n\nThis is a whole model: the adapters below are merged into its weights, and no LoRA "
            + "is to be loaded beside it.\n\n| adapter | scale | SHA-256 |\n|---|---|---|\n");
        for (int i = 0; i < Adapters.Count; i++)
            note.Append(CultureInfo.InvariantCulture,
                $"| `{Adapters[i].Name.Replace('`', '\'').Replace('|', '/')}` | {Adapters[i].Scale} | "
                + $"`{Sha256Of(AdapterHashes(Adapters[i], i))}` |\n");
        return note.ToString();
    }

    /// <summary>One hash for an adapter: its files, its place and its scale.</summary>
    internal string AdapterSha256(int index) => Sha256Of(AdapterHashes(Adapters[index], index));

    private static (string, string)[] AdapterHashes(Adapter adapter, int index) =>
    [
        .. adapter.Files.Select(file => (string.Create(CultureInfo.InvariantCulture,
            $"lora {index + 1} x {adapter.Scale}: {System.IO.Path.GetFileName(file)}"), InputFile.Sha256(file, InputKind.Any))),
    ];

    private WeightSet Changed(WeightSet weights, AdapterPart part, Func<string, string> canonical)
    {
        if (Adapters.Count == 0) return weights;
        Dictionary<string, string> stored = weights.Names.ToDictionary(canonical, name => name, StringComparer.Ordinal);
        foreach (Adapter adapter in Adapters)
            foreach (AdapterLayer layer in adapter.Layers.Where(layer => layer.Part == part))
                weights.Change(stored[layer.Weight], weight => layer.AddTo(weight, adapter.Scale));
        return weights;
    }

    private static AdapterTargets Targets(ICheckpointSource source)
    {
        using WeightSet unet = source.OpenUNet(), text = source.OpenTextEncoder();
        return new AdapterTargets(source.UNet, source.TextEncoder.HiddenSize, Shapes(unet, key => key),
            Shapes(text, CheckpointKeys.TextEncoder));
    }

    private static Dictionary<string, IReadOnlyList<long>> Shapes(WeightSet weights, Func<string, string> canonical) =>
        weights.Names.ToDictionary(canonical, name => weights.Info(name).Shape, StringComparer.Ordinal);

    private static string BaseName(string path) => IsSingleFile(path) ? System.IO.Path.GetFileNameWithoutExtension(path)
        : new DirectoryInfo(path).Name;
}
