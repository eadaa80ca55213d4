namespace Dori.Audit;

/// <summary>What units do, run to their end: counted, so that it is the same on every machine.</summary>
/// <param name="Backward">Latents through the UNet with a gradient back: the search's.</param>
/// <param name="Sampled">Sampler steps of all pictures.</param>
/// <param name="Passes">Latents through the UNet in one of those: 2 with guidance.</param>
internal readonly record struct UnitWork(long Backward, long Sampled, long Pictures, int Passes)
{
    /// <summary>Latents through the UNet.</summary>
    public long Forward => Backward + Passes * Sampled;

    /// <summary>In forward passes: a search step costs little more than two.</summary>
    public double Weight => 2.2 * Backward + Passes * Sampled;

    public static UnitWork Of(IEnumerable<AuditUnit> units, AuditOptions options)
    {
        long steps = 0, pictures = 0;
        foreach (AuditUnit unit in units)
        {
            steps += unit.Start == AuditStart.Prompt ? 0 : options.Steps;
            pictures += unit.Snapshots(options).Sum(snapshot => snapshot.Generations);
        }
        return new UnitWork(steps * options.SearchBatch, pictures * options.SamplerSteps, pictures, options.Guidance > 1 ? 2 : 1);
    }
}
