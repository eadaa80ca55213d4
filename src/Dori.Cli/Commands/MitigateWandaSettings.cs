using System.ComponentModel;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateWandaSettings : MitigateSettings
{
    [CommandOption("--sparsity <SHARE>"), Description("Share of each output row that a step may mark (default: the model's, else 0.01)")]
    public double? Sparsity { get; init; }

    [CommandOption("--pool <N>"), Description("Prompts whose norms are accumulated before marking (default: 1, each picture for itself)"),
        DefaultValue(1)]
    public int Pool { get; init; } = 1;

    [CommandOption("--generations|-n <N>"), Description("Latents sampled from each prompt (default: 4)"), DefaultValue(4)]
    public int Latents { get; init; } = 4;

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance (default: the model's, else 7.5)")]
    public double? Guidance { get; init; }

    [CommandOption("--sampler <NAME>"), Description("ddim, pndm, euler, dpm-solver++ or dpm-solver++-karras (default: the model's)")]
    public string? SamplerName { get; init; }

    [CommandOption("--sampler-steps <N>"),
        Description("Sampler steps, of which the first 10 are looked at (default: the model's, else 50)")]
    public int? SamplerSteps { get; init; }

    [CommandOption("--generation-batch <N>"), Description("Latents sampled at once (default: 4)"), DefaultValue(4)]
    public int Batch { get; init; } = 4;

    public WandaOptions Options(DiffusionModel model)
    {
        if (Batch < 1) throw new DoriException($"--generation-batch {Batch}: at least 1 is wanted");
        WandaOptions own = WandaOptions.For(model, Batch);
        WandaOptions options = own with
        {
            Sparsity = Sparsity ?? own.Sparsity,
            Pool = Pool,
            Latents = Latents,
            Seed = Seed,
            Generation = own.Generation with
            {
                Guidance = Guidance ?? own.Generation.Guidance,
                Scheduler = model.SchedulerWith(SamplerName ?? model.Defaults.Sampler),
                Steps = SamplerSteps ?? own.Generation.Steps,
            },
        };
        options.Check();
        return options;
    }

    public override IMitigation Mitigation() => Mitigations.Wanda((model, _) => Options(model), Pool);
}
