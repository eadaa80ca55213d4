namespace Dori.Pictures.Sources;

/// <summary>A picture as its set names it, with what the set says of it.</summary>
/// <param name="Name">Within the set, with forward slashes; each once.</param>
/// <param name="Caption">May be empty.</param>
internal sealed record SourcePicture(string Name, string Caption)
{
    /// <summary>Where that is said, for messages: "metadata.csv: row 3"; null where the name says enough.</summary>
    public string? Row { get; init; }
    /// <summary>Pictures of one item are references of one memory; null: an item of its own.</summary>
    public string? Item { get; init; }
    public PictureKind Kind { get; init; }
    public PictureRole Role { get; init; }
    /// <summary>How often an epoch of the training showed it; null where the set does not say.</summary>
    public int? Repeats { get; init; }
    /// <summary>Captions that it has beside the first: of copies of the same file.</summary>
    public IReadOnlyList<string> OtherCaptions { get; init; } = [];
    /// <summary>Of the file, where it was read already.</summary>
    public string? Sha256 { get; init; }
}
