using Dori.Diffusion;
using Dori.Mitigation.Adversarial;

namespace Dori.Mitigation;

/// <summary>The published ways to make a model forget, with what the model's folder asks for and the published defaults else.</summary>
public static class Mitigations
{
    /// <summary>Prunes the feed-forward weights that the captions use most (Chavhan et al. 2024).</summary>
    public static IMitigation Wanda() => Wanda((model, control) => WandaOptions.For(model) with { Seed = control.Seed });

    /// <param name="pool">Captions that are marked for together.</param>
    internal static IMitigation Wanda(Func<DiffusionModel, MitigationControl, WandaOptions> options, int pool = 1) =>
        new Pruning("wanda", "pruning by Wanda (Chavhan et al. 2024)",
            (model, _, control) => new WandaMarking(model, options(model, control)), pool);

    /// <summary>Prunes the value neurons that memorization rests on (Hintersdorf et al. 2024); the set's controls are its held-out
    /// captions.</summary>
    public static IMitigation Nemo() => Nemo((model, pictures, control) =>
        new NemoMarking(model, pictures.ControlCaptions, new NemoOptions { Seed = control.Seed }));

    internal static IMitigation Nemo(Func<DiffusionModel, MitigationPictures, MitigationControl, IMarking> marking) =>
        new Pruning("nemo", "pruning by NeMo (Hintersdorf et al. 2024)", marking);

    /// <summary>Erased Stable Diffusion (Gandikota et al. 2023): predicts away from the captions.</summary>
    public static IMitigation Esd() => new Esd();

    /// <summary>SISS (Alberti et al. 2025): data unlearning by subtracted importance-sampled scores.</summary>
    public static IMitigation Siss() => new Siss();

    /// <summary>Concept Ablation (Kumari et al. 2023): captions bring what the model draws in their place.</summary>
    public static IMitigation ConceptAblation() => new ConceptAblation();

    /// <summary>Adversarial fine-tuning (arXiv 2507.16880): until a search finds nothing.</summary>
    public static IMitigation Adversarial() => new AdversarialMitigation(model => AdversarialOptions.For(model), null);
}
