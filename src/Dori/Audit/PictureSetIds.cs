namespace Dori.Audit;

/// <summary>Hands out ids that are safe as a file's name on every system, each once.</summary>
internal sealed class ItemIds
{
    private const int Longest = 64;
    private readonly HashSet<string> _taken = new(StringComparer.OrdinalIgnoreCase);

    public string Unique(string name)
    {
        char[] safe = [.. name.Take(Longest).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' ? c : '-')];
        string stem = new string(safe).Trim('.', '-');
        if (stem.Length == 0) stem = "item";
        string id = stem;
        for (int n = 2; !_taken.Add(id); n++) id = $"{stem}-{n}";
        return id;
    }
}
