namespace Dori.Reporting;

/// <summary>Puts pictures into the page, each inside the page itself.</summary>
internal sealed class ReportPictures(HtmlWriter html, ReportContext context)
{
    private readonly Dictionary<string, EmbeddedPicture> shared = [];

    /// <summary>Whether there are to be any.</summary>
    public bool Shown => context.Pictures;

    /// <summary>SHA-256 of a picture of the set; null where the run does not keep it.</summary>
    public string? HashOf(string file) => context.OriginalFile(file) is { } kept ? Path.GetFileNameWithoutExtension(kept) : null;

    public void Original(string file, string alt) => Image(EmbeddedPicture.Thumbnail(context.OriginalPicture(file)), alt,
        "The original's file is missing or is no PNG, JPEG, GIF or WebP.", context.OriginalFile(file));

    /// <summary>A generation; a path that is null says that it was not kept.</summary>
    public void Generated(string? path, string alt) =>
        Image(path is null ? null : EmbeddedPicture.Thumbnail(context.GeneratedPicture(path)), alt,
        path is null ? "Picture not kept." : "The picture's file is missing.", path is not null && context.HasPicture(path) ? path : null);

    /// <summary>Embeds a picture once, so that every card can show it with <see cref="Shared"/>. The id is the program's own name for
    /// it.</summary>
    public void Share(string id, byte[]? file)
    {
        if (EmbeddedPicture.Thumbnail(file) is not { } picture) return;
        shared[id] = picture;
        (string width, string height) = Size(picture);
        using (html.Open("svg", ("class", "library"), ("width", "0"), ("height", "0"), ("aria-hidden", "true")))
            using (html.Open("symbol", ("id", id), ("viewBox", $"0 0 {width} {height}")))
                html.Leaf("image", ("href", picture.DataUri), ("width", width), ("height", height),
                    ("class", picture.IsSmall ? "small" : null));
    }

    public void Shared(string id, string alt)
    {
        if (!shared.TryGetValue(id, out EmbeddedPicture? picture))
        {
            Missing("Picture not kept.");
            return;
        }
        (string width, string height) = Size(picture);
        using (html.Open("svg", ("class", "picture"), ("viewBox", $"0 0 {width} {height}"), ("role", "img"), ("aria-label", alt)))
            html.Leaf("use", ("href", "#" + id));
    }

    /// <param name="whole">The whole file beside the report, to be opened from the thumbnail; null: none.</param>
    private void Image(EmbeddedPicture? picture, string alt, string otherwise, string? whole)
    {
        if (picture is null)
        {
            Missing(otherwise);
            return;
        }
        if (whole is null) Show();
        else
            using (html.Open("a", ("href", whole))) Show();

        void Show() =>
            html.Void("img", ("class", picture.IsSmall ? "picture small" : "picture"), ("src", picture.DataUri), ("alt", alt));
    }

    private void Missing(string why) => html.Element("span", why, ("class", "picture missing"));

    private static (string, string) Size(EmbeddedPicture picture) =>
        picture is { Width: > 0, Height: > 0 } ? (Show.Coordinate(picture.Width), Show.Coordinate(picture.Height)) : ("512", "512");
}
