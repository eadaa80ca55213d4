using Dori.Checkpoints;
using TorchSharp;

namespace Dori.Pictures;

/// <summary>
/// Reads pictures once before the work: all that cannot be used are named together, and what the files say that is not in the pixels is
/// counted.
/// </summary>
internal static class PictureLosses
{
    private static readonly (PictureTraits Trait, string One, string Many)[] Sentences =
    [
        (PictureTraits.Turned, "picture was turned as its EXIF orientation says", "pictures were turned as their EXIF orientation says"),
        (PictureTraits.Transparent, "picture has transparent parts, laid on white here",
            "pictures have transparent parts, laid on white here"),
        (PictureTraits.Frames, "picture has several frames, of which the first was read",
            "pictures have several frames, of which the first was read"),
        (PictureTraits.SixteenBits, "picture has 16 bits a channel, of which 8 were read",
            "pictures have 16 bits a channel, of which 8 were read"),
        (PictureTraits.Inks, "picture is made of four inks (CMYK), converted without a profile",
            "pictures are made of four inks (CMYK), converted without a profile"),
    ];

    /// <summary>Every picture of a set.</summary>
    /// <returns>One sentence for each kind.</returns>
    /// <exception cref="DoriException">Pictures that cannot be used: all of them, by name.</exception>
    public static IReadOnlyList<string> Of(PictureSet set) => Of(set.Items);

    /// <exception cref="DoriException">Pictures that cannot be used: all of them, by name.</exception>
    internal static void RefuseDamaged(IReadOnlyList<PictureItem> items) => _ = Of(items);

    private static IReadOnlyList<string> Of(IReadOnlyList<PictureItem> items) =>
        Of([.. items.SelectMany(item => Enumerable.Range(0, item.Files.Count).Select(reference => (Item: item, Reference: reference)))
                .DistinctBy(picture => picture.Item.PlaceOf(picture.Reference))],
            picture => (picture.Item.PlaceOf(picture.Reference), picture.Item.Read(picture.Reference)),
            picture => Path.GetFileName(picture.Item.Files[picture.Reference]));

    /// <param name="pictures">What to read, each once.</param>
    /// <param name="read">From a picture to what an error calls it, and its file's bytes.</param>
    /// <param name="shown">From a picture to what a sentence calls it.</param>
    /// <inheritdoc cref="Of(PictureSet)"/>
    internal static IReadOnlyList<string> Of<T>(IReadOnlyList<T> pictures, Func<T, (string Path, byte[] File)> read, Func<T, string?> shown)
    {
        var traits = new List<(string Name, PictureTraits Traits)>();
        var wrong = new List<string>();
        foreach (T picture in pictures)
        {
            using var scope = torch.NewDisposeScope();
            try
            {
                (string path, byte[] file) = read(picture);
                Picture.Decode(file, path, out PictureTraits found);
                traits.Add((shown(picture) ?? path, found));
            }
            catch (DoriException e)
            {
                wrong.Add(e.Message);
            }
        }
        if (wrong.Count == 1) throw new DoriException(wrong[0]);
        if (wrong.Count > 1) throw new DoriException($"{wrong.Count} of {pictures.Count} pictures cannot be used: "
            + $"{string.Join("; ", wrong)}");
        return [.. Sentences.Select(sentence => Sentence(sentence, traits)).OfType<string>()];
    }

    private static string? Sentence((PictureTraits Trait, string One, string Many) sentence,
        List<(string Name, PictureTraits Traits)> traits)
    {
        string[] names = [.. traits.Where(t => t.Traits.HasFlag(sentence.Trait)).Select(t => t.Name)];
        if (names.Length == 0) return null;
        string rest = sentence.Trait is PictureTraits.Turned or PictureTraits.Transparent
            ? "; a trainer that reads them otherwise taught the model other pictures" : "";
        return $"{names.Length} {(names.Length == 1 ? sentence.One : sentence.Many)} ({ModelNotes.First(names)}){rest}.";
    }
}
