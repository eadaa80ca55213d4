namespace Dori;

/// <summary>
/// What an input file is, and how large one may be (the table in docs/decisions.md). Weights and archives have no limit: they are read
/// tensor by tensor and member by member. Every other kind is read whole, and one that is larger is refused before it is read.
/// </summary>
/// <param name="Name">As an error calls it, with its article.</param>
/// <param name="Largest">In bytes.</param>
internal sealed record InputKind(string Name, long Largest)
{
    /// <summary>A .safetensors file.</summary>
    public static readonly InputKind Weights = new("a weights file", long.MaxValue);
    /// <summary>A tar of pictures.</summary>
    public static readonly InputKind Archive = new("an archive", long.MaxValue);
    /// <summary>Any file whose bytes are only hashed or copied.</summary>
    public static readonly InputKind Any = new("a model's file", long.MaxValue);
    /// <summary>TorchScript is loaded from one array: what it can hold.</summary>
    public static readonly InputKind Network = new("a TorchScript network", 0x7FFF_FFC7);
    /// <summary>PNG, JPEG, WebP or BMP; its pixels have limits of their own.</summary>
    public static readonly InputKind Picture = new("a picture", 1L << 28);
    /// <summary>A part's config.json, model_index.json.</summary>
    public static readonly InputKind Config = new("a config file", 4L << 20);
    /// <summary>dori.json, preset.json.</summary>
    public static readonly InputKind Preset = new("a preset", 1L << 18);
    /// <summary>vocab.json, merges.txt and the like.</summary>
    public static readonly InputKind Tokenizer = new("a tokenizer's file", 4L << 20);
    /// <summary>The list of a checkpoint's shards.</summary>
    public static readonly InputKind ShardIndex = new("an index of shards", 16L << 20);
    /// <summary>metadata.csv, metadata.jsonl, lists of captions.</summary>
    public static readonly InputKind Metadata = new("a list of captions", 32L << 20);
    /// <summary>A caption beside its picture.</summary>
    public static readonly InputKind Caption = new("a caption", 1L << 16);
    /// <summary>manifest.json, summaries, mitigation.json: they grow with the set.</summary>
    public static readonly InputKind Record = new("a record", 16L << 20);
    /// <summary>One unit's record, costs.</summary>
    public static readonly InputKind UnitRecord = new("a unit's record", 4L << 20);
    /// <summary>refs/main of the Hub's cache.</summary>
    public static readonly InputKind Reference = new("a revision's name", 1L << 10);
    /// <summary>A model's README.md.</summary>
    public static readonly InputKind Card = new("a model's card", 4L << 20);
    /// <summary>A key in PEM.</summary>
    public static readonly InputKind Key = new("a key", 1L << 16);
    /// <summary>The system's own text files, which say that they are empty.</summary>
    public static readonly InputKind System = new("a file of the system", 1L << 24);
}
