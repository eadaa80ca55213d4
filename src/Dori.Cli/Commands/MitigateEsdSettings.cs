using Dori.Training;
using System.ComponentModel;
using Dori.Mitigation;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateEsdSettings : MitigateTrainingSettings
{
    [CommandOption("--variant <NAME>"),
        Description("What is trained: esd-x (cross-attention), esd-x-strict (its keys and values), esd-u (everything else)"),
        DefaultValue("esd-x")]
    public string Variant { get; init; } = "esd-x";

    [CommandOption("--negative-guidance <ETA>"), Description("How far the target lies beyond the unconditional prediction (default: 2)")]
    public double? NegativeGuidance { get; init; }

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance on the way to each training sample (default: 3)")]
    public double? Guidance { get; init; }

    [CommandOption("--sampler-steps <N>"), Description("Steps of that way (default: 50)")]
    public int? SamplerSteps { get; init; }

    public WeightSelection Trained => Variant switch
    {
        "esd-x" => WeightSelection.CrossAttention,
        "esd-x-strict" => WeightSelection.CrossAttentionKeysValues,
        "esd-u" => WeightSelection.AllButCrossAttention,
        _ => throw new DoriException($"--variant {Variant}: not known; esd-x, esd-x-strict and esd-u are possible"),
    };

    public override IMitigation Mitigation()
    {
        WeightSelection trained = Trained;
        return new Esd(own => own with
        {
            Training = Training(own.Training) with { Trained = trained },
            Sampling = own.Sampling with { Guidance = Guidance ?? own.Sampling.Guidance, Steps = SamplerSteps ?? own.Sampling.Steps },
            NegativeGuidance = NegativeGuidance ?? own.NegativeGuidance,
        });
    }
}
