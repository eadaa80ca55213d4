using System.ComponentModel;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Mitigation;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateWandaSettings : PruningSettings
{
    [CommandOption("--sparsity <SHARE>"), Description("Share of each output row that a step may mark (default: the model's, else 0.01)")]
    public double? Sparsity { get; init; }

    [CommandOption("--pool <N>"), Description("Prompts whose norms are accumulated before marking (default: 1, each picture for itself)"), DefaultValue(1)]
    public int Pool { get; init; } = 1;

    [CommandOption("--generations|-n <N>"), Description("Latents sampled from each prompt (default: 4)"), DefaultValue(4)]
    public int Latents { get; init; } = 4;

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance (default: the model's, else 7.5)")]
    public double? Guidance { get; init; }

    [CommandOption("--sampler <NAME>"), Description("ddim, pndm, euler, dpm-solver++ or dpm-solver++-karras (default: the model's)")]
    public string? SamplerName { get; init; }

    [CommandOption("--sampler-steps <N>"), Description("Sampler steps, of which the first 10 are looked at (default: the model's, else 50)")]
    public int? SamplerSteps { get; init; }

    [CommandOption("--generation-batch <N>"), Description("Latents sampled at once (default: 4)"), DefaultValue(4)]
    public int Batch { get; init; } = 4;

    public WandaOptions Options(DiffusionModel model)
    {
        if (Batch < 1) throw new DoriException($"--generation-batch {Batch}: at least 1 is wanted");
        GenerationOptions own = GenerationOptions.For(model, Batch);
        var options = new WandaOptions
        {
            Sparsity = Sparsity ?? model.Defaults.WandaSparsity,
            Pool = Pool,
            Latents = Latents,
            Seed = Seed,
            Generation = own with
            {
                Guidance = Guidance ?? own.Guidance,
                Scheduler = SamplerName is { } name ? Sampler.WithSampler(model.Scheduler, name) : own.Scheduler,
                Steps = SamplerSteps ?? own.Steps,
            },
        };
        options.Check();
        return options;
    }
}

internal sealed class MitigateWandaCommand(Shell shell) : Command<MitigateWandaSettings>
{
    protected override int Execute(CommandContext context, MitigateWandaSettings settings, CancellationToken cancellation) => PruningJob.Run(shell, settings, "wanda", (model, set, items) =>
    {
        WandaOptions options = settings.Options(model);
        WandaResult result = Wanda.Run(model, [.. items.Select(item => model.Embed(item.Caption))], options,
            PruningJob.Progress(shell, settings, "prompt", items.Length), shell.Interrupted);
        PrunedItem[] pruned = [.. items.Select((item, i) => new PrunedItem(item.Id, item.Caption, item.Sha256, result.Chunks[i / options.Pool].Count))];
        return (result.Mask, PruningJob.Record(shell, settings, "wanda", set, items, result.Mask, pruned) with { Wanda = WandaSettings.Of(options) });
    });
}
