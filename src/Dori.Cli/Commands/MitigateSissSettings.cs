using System.ComponentModel;
using Dori.Audit;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateSissSettings : MitigatePicturesSettings
{
    [CommandOption("--keep <DIR>"),
        Description("An imagefolder of ordinary pictures to keep (default: generations of each caption that are unlike its picture)")]
    public string? Keep { get; init; }

    [CommandOption("--lambda <L>"), Description("The mixture's share of the picture to forget (default: 0.5)")]
    public double? Lambda { get; init; }

    [CommandOption("--forgetting-share <S>"), Description("Length of the forgetting gradient in lengths of the keeping one (default: 0.1)")]
    public double? ForgettingShare { get; init; }

    [CommandOption("--last-timesteps <N>"), Description("Trains the last N time steps of the schedule (default: 1)")]
    public int? LastTimesteps { get; init; }

    public override IMitigation Mitigation() => new Siss(Keep is { } folder ? PictureSet.Load(folder, Reading) : null, Replacements, own =>
    {
        int batch = Batch ?? own.Batch;
        return own with
        {
            Training = Training(own.Training),
            Batch = batch,
            MicroBatch = MicroBatch ?? Math.Min(own.MicroBatch, batch),
            Lambda = Lambda ?? own.Lambda,
            ForgettingShare = ForgettingShare ?? own.ForgettingShare,
            LastTimesteps = LastTimesteps ?? own.LastTimesteps,
        };
    });
}
