using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// The eye: audited pictures through the VAE and back, judged by the copy detector against the pictures as they lie on disk.
/// </summary>
internal sealed class ControlEye(DiffusionModel model, ICopyDetector detector, double threshold, PictureSet set)
{
    private const int LongestSide = 1024;

    public int Looked { get; private set; }
    public IReadOnlyList<UnseenItem> Unseen { get; private set; } = [];

    public IEnumerable<ControlFigure> Figures()
    {
        PictureItem[] audited = [.. set.Items.Where(item => item.Role != PictureRole.Control)], items = audited.Length > 0 ? audited
            : [.. set.Items];
        (string Item, double Similarity)[] looks = [.. items.Select(item => (item.Id, Similarity(item)))];
        Looked = looks.Length;
        Unseen = [.. looks.Where(look => !(look.Similarity > threshold))
            .Select(look => new UnseenItem(look.Item, double.IsFinite(look.Similarity) ? Math.Round(look.Similarity, 3) : null))];
        bool finite = looks.All(look => double.IsFinite(look.Similarity));
        yield return ControlFigure.Of(PositiveControl.Eye, "share of pictures that the VAE brings back as copies of themselves",
            1 - (double)Unseen.Count / Looked, atLeast: ControlLimits.Seen);
        yield return ControlFigure.Of(PositiveControl.Eye, "median similarity of pictures to themselves through the VAE",
            finite ? Statistics.Median(looks.Select(look => look.Similarity)) : double.NaN, atLeast: ControlLimits.Sight(threshold));
    }

    /// <summary>An item is found where a generation nears any of its references; so it is seen where one of them comes back.</summary>
    private double Similarity(PictureItem item)
    {
        using var scope = NewDisposeScope();
        Tensor views = item.Originals(model.PictureSize); // (R, 3, S, S)
        var all = new List<Tensor>();
        for (long r = 0; r < views.shape[0]; r++) // one by one: memory as in a unit
            all.Add(model.Decode(model.Encode(views.narrow(0, r, 1))));
        Tensor back = cat(all, 0);
        if (!back.isfinite().all().item<bool>()) return double.NaN;
        // The picture's own pixels, not the model's view of them: a model of a few pixels would see itself well.
        Tensor originals = cat([.. Enumerable.Range(0, item.Files.Count).Select(reference =>
            detector.Describe(Square(item.Picture(reference)).unsqueeze(0)))], 0);
        return Measures.Similarity.ToReferences(detector.Describe(back), originals).Max();
    }

    private static Tensor Square(Tensor picture)
    {
        int side = (int)Math.Min(picture.shape[1], picture.shape[2]);
        if (side > LongestSide) picture = Picture.ResizeSmallEdge(picture, side = LongestSide);
        return Picture.CenterCrop(picture, side, side);
    }
}
