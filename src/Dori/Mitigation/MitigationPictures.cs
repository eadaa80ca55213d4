using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;

namespace Dori.Mitigation;

/// <summary>The pictures of a mitigation, and what tells or draws others. Nothing of it is owned.</summary>
/// <param name="All">The whole set, controls too.</param>
/// <param name="Forget">Those to forget, at least one.</param>
public sealed record MitigationPictures(PictureSet All, PictureSet Forget)
{
    /// <summary>For <see cref="MitigationNeeds.CopyDetector"/>.</summary>
    public ICopyDetector? Detector { get; init; }

    /// <summary>For <see cref="MitigationNeeds.Generator"/>.</summary>
    public DiffusionModel? Generator { get; init; }

    /// <summary>Ordinary pictures with captions, where the caller has some.</summary>
    internal OrdinaryPictures? Ordinary { get; init; }

    /// <summary>Captions of the controls, each once: they are not memorized.</summary>
    public IReadOnlyList<string> ControlCaptions =>
        [.. All.Items.Where(item => item.Role == PictureRole.Control && item.Caption.Length > 0).Select(item => item.Caption).Distinct()];

    internal ICopyDetector NeedDetector => Detector ?? throw new DoriException("this mitigation needs a copy detector");
    internal DiffusionModel NeedGenerator => Generator ?? throw new DoriException("this mitigation needs a model that draws pictures");
}
