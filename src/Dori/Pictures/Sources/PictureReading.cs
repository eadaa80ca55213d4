namespace Dori.Pictures.Sources;

/// <summary>What the user adds to what a set of pictures says of itself.</summary>
/// <param name="CaptionColumn">The column or field that holds the captions; null: the first of the usual names.</param>
/// <param name="Caption">The prompt of every picture that has no caption of its own; empty: none, and that is meant; null: not
/// said.</param>
internal sealed record PictureReading(string? CaptionColumn = null, string? Caption = null)
{
    /// <summary>What captions are called, the name that is meant first.</summary>
    private static readonly string[] s_captions = ["text", "caption", "prompt", "en_text", "captions"];

    /// <summary>What pictures are called in a list of files.</summary>
    private static readonly string[] s_files = ["file_name", "image", "file", "path", "filename", "image_file", "image_path", "img"];

    public static IReadOnlyList<string> CaptionNames => s_captions;

    public static IReadOnlyList<string> FileNames => s_files;

    /// <summary>The column that holds the captions; null where there is none and none was named.</summary>
    /// <param name="place">The file, for the message.</param>
    /// <exception cref="DoriException">The column that was named is not there.</exception>
    public string? CaptionOf(string place, IReadOnlyCollection<string> columns)
    {
        if (CaptionColumn is null) return s_captions.FirstOrDefault(columns.Contains);
        return columns.Contains(CaptionColumn) ? CaptionColumn
            : throw new DoriException($"{place}: has no column \"{CaptionColumn}\" (`CaptionColumn`); {Named(columns)}");
    }

    /// <exception cref="DoriException">Always.</exception>
    public static string RefuseCaptions(string place, IReadOnlyCollection<string> columns) =>
        throw new DoriException($"{place}: has no column \"text\" (nor caption or prompt) for the captions; {Named(columns)}; name one "
            + "with `CaptionColumn`, or give the prompt of all as `Caption` TEXT");

    public static string Named(IReadOnlyCollection<string> columns) =>
        $"its columns are {string.Join(", ", columns.Select(column => $"\"{column}\""))}";

    /// <summary>A sentence where captions came from another column than "text".</summary>
    public IEnumerable<string> Said(string place, string? column)
    {
        if (column is not null && column != s_captions[0] && CaptionColumn is null)
            yield return $"{place} has no column \"text\"; its \"{column}\" was taken for the captions.";
    }
}
