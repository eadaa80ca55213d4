namespace Dori.Pictures;

/// <summary>Hands out ids that are safe as a file's name on every system, each once.</summary>
internal sealed class ItemIds
{
    private const int Longest = 64;
    private readonly HashSet<string> _taken = new(StringComparer.OrdinalIgnoreCase);

    public string Unique(string name)
    {
        char[] safe = [.. name.Take(Longest).Select(c => IsSafe(c) ? c : '-')];
        string stem = new string(safe).Trim('.', '-');
        if (stem.Length == 0) stem = "item";
        string id = stem;
        for (int n = 2; !_taken.Add(id); n++) id = $"{stem}-{n}";
        return id;
    }

    /// <summary>Whether a text may be one of these ids: a plain file name on every system.</summary>
    public static bool IsId(string text) => text.Length is > 0 and <= Longest + 12 && text.All(IsSafe) && text.Trim('.', '-') == text;

    private static bool IsSafe(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.';
}
