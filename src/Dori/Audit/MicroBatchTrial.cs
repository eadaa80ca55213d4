using System.Globalization;
using System.Runtime.InteropServices;
using Dori.Diffusion;
using Dori.Native;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>How many pairs of a large model's search step go through the UNet at once: as many as memory has room for.</summary>
internal static class MicroBatchTrial
{
    private const double Usable = 0.8; // the rest is for generations, and for what other programs do meanwhile
    private const double Gibi = 1L << 30;

    /// <param name="say">Told what was chosen and why, where it is not the whole batch.</param>
    /// <returns>The batch, or a half, a quarter, ... of it</returns>
    public static int Choose(DiffusionModel model, AuditOptions options, Action<string> say)
    {
        long free = Free(model.Device), each = Growth(model, 1);
        int chosen = Largest(options.SearchBatch, each, (long)(Usable * free));
        while (chosen > 1 && !Fits(model, chosen)) chosen /= 2;
        if (chosen < options.SearchBatch)
            say(string.Create(CultureInfo.InvariantCulture, $"{chosen} of {options.SearchBatch} pairs of a search step at once: one takes ")
                + string.Create(CultureInfo.InvariantCulture, $"{each / Gibi:0.0} GiB and {free / Gibi:0.0} GiB are free; ")
                + "`MicroBatch` asks for another number");
        return chosen;
    }

    /// <summary>The batch, halved until so many pairs have room; at least 1.</summary>
    internal static int Largest(int batch, long each, long room)
    {
        int pairs = batch;
        while (pairs > 1 && pairs * each > room) pairs /= 2;
        return pairs;
    }

    private static bool Fits(DiffusionModel model, int pairs)
    {
        if (model.Device.type == DeviceType.CPU) return true; // the system kills, it does not refuse
        try
        {
            Growth(model, pairs);
            return true;
        }
        catch (ExternalException e) when (OutOfMemory.Is(e))
        {
            return false;
        }
    }

    /// <summary>Bytes that a step takes at most above what is held before.</summary>
    private static long Growth(DiffusionModel model, int pairs)
    {
        using var scope = NewDisposeScope();
        RandomSource random = RandomSource.For("trial");
        Tensor z0 = random.Normal([1, .. model.LatentShape]).to(model.Device);
        Conditioning y = model.RandomConditioning(random).To(model.Device);
        var search = new DoriSearch(new SearchOptions { Steps = 1, Batch = pairs, MicroBatch = pairs, SnapshotSteps = [] });
        // On a GPU libtorch keeps what it once had: what is free afterwards is what is free at the peak.
        if (model.Device.type != DeviceType.CPU)
        {
            long before = Free(model.Device);
            search.Run(model, z0, y, random).Dispose();
            return before - Free(model.Device);
        }
        return HostMemory.Peak(() => search.Run(model, z0, y, random).Dispose());
    }

    private static long Free(Device device) => device.type == DeviceType.CUDA
        ? Gpu.Of(Math.Max(device.index, 0))?.FreeBytes ?? long.MaxValue : CostEstimate.AvailableMemory();
}
