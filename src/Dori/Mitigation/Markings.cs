using Dori.Diffusion;

namespace Dori.Mitigation;

/// <summary>What a marking is made from.</summary>
/// <param name="Generation">How the model is sampled.</param>
/// <param name="Sparsity">Share of each output row that Wanda marks.</param>
/// <param name="HeldOut">Captions that are not memorized.</param>
internal sealed record MarkingInputs(GenerationOptions Generation, double Sparsity, IReadOnlyList<string> HeldOut, long Seed);

/// <summary>A kind of marking by its name.</summary>
/// <param name="FewestHeldOut">Captions that are not memorized, at least.</param>
internal sealed record MarkingKind(string Name, int FewestHeldOut, Func<DiffusionModel, MarkingInputs, IMarking> For);

/// <summary>The markings of this library.</summary>
internal static class Markings
{
    public static IReadOnlyList<MarkingKind> All { get; } =
    [
        new("NeMo", 2, (model, inputs) => new NemoMarking(model, inputs.HeldOut, new NemoOptions { Seed = inputs.Seed })),
        new("Wanda", 0, (model, inputs) => new WandaMarking(model, WandaOptions.For(inputs))),
    ];
}
