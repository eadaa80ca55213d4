using Dori.Training;
using System.ComponentModel;
using Dori.Mitigation;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateEsdSettings : MitigateTrainingSettings
{
    [CommandOption("--variant <NAME>"), Description("What is trained: esd-x (cross-attention), esd-x-strict (its keys and values), esd-u (everything else)"), DefaultValue("esd-x")]
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
}

internal sealed class MitigateEsdCommand(Shell shell) : Command<MitigateEsdSettings>
{
    protected override int Execute(CommandContext context, MitigateEsdSettings settings, CancellationToken cancellation)
    {
        WeightSelection trained = settings.Trained;
        return new MitigateTrainingJob(shell, settings, "esd", "Erased Stable Diffusion").Run((model, set) =>
        {
            string[] captions = [.. set.Items.Select(item => item.Caption)];
            EsdOptions published = EsdOptions.For(model, captions.Length);
            EsdOptions options = published with
            {
                Training = published.Training with { Trained = trained, Steps = settings.Iterations ?? published.Training.Steps, LearningRate = settings.LearningRate ?? published.Training.LearningRate },
                Sampling = published.Sampling with { Guidance = settings.Guidance ?? published.Sampling.Guidance, Steps = settings.SamplerSteps ?? published.Sampling.Steps },
                NegativeGuidance = settings.NegativeGuidance ?? published.NegativeGuidance,
            };
            return new MitigateTrainingPlan(new MitigateOptions(Esd: options), [], (random, control) => Esd.Run(model, captions, options, random, control));
        });
    }
}
