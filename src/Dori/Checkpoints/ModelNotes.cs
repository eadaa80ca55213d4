namespace Dori.Checkpoints;

/// <summary>What a reader of a model's files should know, one sentence each, in the order in which the files are read.</summary>
internal sealed class ModelNotes
{
    private readonly List<string> _said = [], _details = [];

    /// <summary>
    /// What was read otherwise than it is written, or cannot be known: it belongs into <c>info</c>, every run and every report.
    /// </summary>
    public IReadOnlyList<string> Said => _said;

    /// <summary>What was passed over without loss, or honoured though it is rare: it belongs into <c>info</c> alone.</summary>
    public IReadOnlyList<string> Details => _details;

    public void Say(string sentence) => _said.Add(sentence);

    public void Detail(string sentence) => _details.Add(sentence);

    /// <summary>The same notes to go on from.</summary>
    public ModelNotes Copy()
    {
        var copy = new ModelNotes();
        copy._said.AddRange(_said);
        copy._details.AddRange(_details);
        return copy;
    }

    /// <summary>The first of many names: <c>a, b, c, ...</c></summary>
    public static string First(IReadOnlyCollection<string> names, int shown = 5) =>
        $"{string.Join(", ", names.Take(shown).Select(SafetensorsFile.Shown))}{(names.Count > shown ? ", ..." : "")}";
}
