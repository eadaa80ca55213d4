using Dori.Checkpoints;

namespace Dori.Pictures.Sources;

/// <summary>What of archives was chosen, or not read: names, and a sentence for each kind.</summary>
internal sealed class TarNotes
{
    /// <summary>Pictures with a name of two parts.</summary>
    public List<string> Parts { get; } = [];
    /// <summary>Further pictures of a key.</summary>
    public List<string> Further { get; } = [];
    /// <summary>Caption files of several lines.</summary>
    public List<string> Lines { get; } = [];

    public IEnumerable<string> Sentences()
    {
        if (Parts.Count > 0)
            yield return $"{Parts.Count} pictures have names of two parts, and were put together with the text of the same key: "
                + $"{ModelNotes.First(Parts)}.";
        if (Further.Count > 0)
            yield return $"{Further.Count} further pictures of a key are passed over, since one has the key's plain name: "
                + $"{ModelNotes.First(Further)}.";
        if (Lines.Count > 0)
            yield return $"{Lines.Count} caption files have further lines, which are not read: {ModelNotes.First(Lines)}.";
    }
}
