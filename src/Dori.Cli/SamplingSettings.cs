using System.ComponentModel;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>How pictures are drawn. Null: the model's own default (its dori.json, else the published one).</summary>
internal class SamplingSettings : ModelSettings
{
    [CommandOption("--seed <N>"), Description("Every random number follows from it (default: 0)")]
    public long Seed { get; init; }

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance (default: the model's, else 7.5)")]
    public double? Guidance { get; init; }

    [CommandOption("--sampler <NAME>"), Description("ddim, pndm, euler, dpm-solver++ or dpm-solver++-karras (default: the model's)")]
    public string? SamplerName { get; init; }

    [CommandOption("--sampler-steps <N>"), Description("Sampler steps a picture (default: the model's, else 50)")]
    public int? SamplerSteps { get; init; }
}
