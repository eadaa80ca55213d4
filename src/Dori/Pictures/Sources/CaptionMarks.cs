using System.Text.RegularExpressions;

namespace Dori.Pictures.Sources;

/// <summary>Marks in captions that a trainer replaces, and that are taken as they stand here.</summary>
internal static partial class CaptionMarks
{
    /// <returns>A sentence where there are some.</returns>
    public static IEnumerable<string> Of(IReadOnlyList<SourcePicture> pictures)
    {
        var marks = new SortedSet<string>(StringComparer.Ordinal);
        var names = new List<string>();
        foreach (SourcePicture picture in pictures)
        {
            string[] own = [.. Mark().Matches(picture.Caption).Select(match => match.Value)];
            if (own.Length > 0) names.Add(picture.Name);
            marks.UnionWith(own);
        }
        if (names.Count > 0)
            yield return $"{(names.Count == 1 ? "1 caption holds" : $"{names.Count} captions hold")} marks that trainers replace and that "
                + $"are taken as they stand here ({Checkpoints.ModelNotes.First(marks)}): {Checkpoints.ModelNotes.First(names)}; write "
                + "what the training showed in their place.";
    }

    /// <summary>ai-toolkit's word, sd-scripts' wildcards and separators.</summary>
    [GeneratedRegex(@"\[trigger\]|\[name\]|\{[^{}|]*\|[^{}]*\}|\|\|\||;;;")]
    private static partial Regex Mark();
}
