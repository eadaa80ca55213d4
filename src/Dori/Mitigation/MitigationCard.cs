using System.Text;

namespace Dori.Mitigation;

/// <summary>The model card of a mitigated model: what was done to it, and what that does not show.</summary>
internal static class MitigationCard
{
    /// <param name="original">The original's card; its header stays first, for licenses stand there.</param>
    /// <returns>Markdown</returns>
    public static string Of(MitigationRecord record, MitigationOutcome outcome, string original)
    {
        original = original.ReplaceLineEndings("\n");
        string header = "", name = Plain(record.Model.Name);
        int end = original.StartsWith("---\n", StringComparison.Ordinal) ? original.IndexOf("\n---\n", 3, StringComparison.Ordinal) : -1;
        if (end >= 0) (header, original) = (original[..(end + 5)] + "\n", original[(end + 5)..]);
        string[] parts =
        [
            $"# {name}, after {record.Title}",
            $"This is {name} (SHA-256 of its files `{record.Model.Sha256}`), changed so that the captions of "
                + $"{record.Pictures.Items.Count} of its training pictures should no longer bring these back: {outcome.Summary}"
                + (record.Adapters is null ? " Everything but `unet/` is the original's." : ""),
            "**Silence by prompt is not absence.** A model that no longer gives a picture for its caption may still hold it: other "
                + "inputs can bring it back.\n"
                + "Audit this model by search before relying on it:",
            "    dori audit THIS_FOLDER --images PICTURES -o RUN",
            "Made by:",
            $"    {record.Command.ReplaceLineEndings(" ")}",
            $"dori {record.Version}; every option and figure is in `mitigation.json`.",
            outcome.Card.Trim(),
            original.Trim().Length == 0 ? "" : $"## The original's card\n\n{original.Trim()}",
        ];
        return header + string.Join("\n\n", parts.Where(part => part.Length > 0)) + "\n";
    }

    /// <summary>A caption is a stranger's text: nothing in it may become markup.</summary>
    internal static string Plain(string text)
    {
        var plain = new StringBuilder();
        foreach (char c in text.ReplaceLineEndings(" "))
        {
            if ("\\`*_{}[]()<>#+-.!|~&$".Contains(c)) plain.Append('\\');
            plain.Append(char.IsControl(c) ? ' ' : c);
        }
        return plain.ToString();
    }
}
