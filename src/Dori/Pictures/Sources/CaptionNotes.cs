using Dori.Checkpoints;

namespace Dori.Pictures.Sources;

/// <summary>What a folder of caption files gave that is not in the captions: names, and a sentence for each kind.</summary>
internal sealed class CaptionNotes
{
    private const int Shown = 5;

    /// <summary>Caption files that a picture has taken.</summary>
    public HashSet<string> Used { get; } = [];
    public List<string> Further { get; } = [];
    public List<string> Empty { get; } = [];
    public List<string> ByFolder { get; } = [];
    public List<string> Several { get; } = [];
    public List<string> Shared { get; } = [];
    public List<string> Unused { get; } = [];
    public List<string> Copies { get; } = [];
    public List<string> WithoutNumber { get; } = [];
    /// <summary>Pictures with several captions, the one that is tried first.</summary>
    public List<(string Name, string[] Captions)> Choices { get; } = [];

    public IEnumerable<string> Sentences()
    {
        foreach ((List<string> names, string one, string many) in new[]
        {
            (Further, "caption file has further lines, which are not read: trainers take the first",
                "caption files have further lines, which are not read: trainers take the first"),
            (Empty, "caption file is empty, as if there were none", "caption files are empty, as if there were none"),
            (ByFolder, "picture has no caption file: its caption is the numbered folder's name",
                "pictures have no caption file: their caption is the numbered folder's name"),
            (Several, "picture has both a .txt and a .caption: the .txt was taken", "pictures have both a .txt and a .caption: "
                + "the .txt was taken"),
            (Shared, "caption file serves pictures of the same name", "caption files serve pictures of the same name"),
            (Unused, "caption file has no picture", "caption files have no picture"),
            (Copies, "picture lies in the set several times and counts once, its repeats added",
                "pictures lie in the set several times and count once, their repeats added"),
            (WithoutNumber, "picture lies in a folder without a number beside numbered ones, where sd-scripts does not look; it is read",
                "pictures lie in folders without a number beside numbered ones, where sd-scripts does not look; they are read"),
        })
            if (names.Count > 0) yield return $"{names.Count} {(names.Count == 1 ? one : many)} ({ModelNotes.First(names)}).";
        foreach ((string name, string[] captions) in Choices.Take(Shown))
            yield return $"{name} has several captions: the prompt is {string.Join("; not tried is ", captions.Select(caption =>
                $"\"{SafetensorsFile.Shown(caption)}\""))}.";
        if (Choices.Count > Shown) yield return $"So have {Choices.Count - Shown} further pictures; the report names all.";
    }
}
