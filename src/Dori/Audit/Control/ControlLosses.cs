using Dori.Diffusion;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// Denoising losses of the sample's pictures at one time step, with the caption, with another one and without: the same noise for all
/// three.
/// </summary>
/// <param name="Share">t / T.</param>
/// <param name="Own">One loss a picture, mean over elements.</param>
/// <param name="Linear">
/// Loss of the best multiple of the noisy latent plus a constant, a channel: what needs no network. At most that of predicting 0 or any
/// constant.
/// </param>
/// <param name="Moved">Mean square of what another caption changes in the prediction.</param>
internal sealed record ControlLosses(double Share, float[] Own, float[] Other, float[] Null, double Linear, double Moved)
{
    public static ControlLosses Take(DiffusionModel model, ControlSample sample, double share, Tensor noise)
    {
        using var scope = NewDisposeScope();
        noise = noise.to(model.Device);
        Tensor t = full([sample.Items.Count], TensorMath.Kept((long)(share * model.Schedule.NumTrainTimesteps)), int64).to(model.Device);
        Tensor noisy = model.Schedule.AddNoise(sample.Latents, noise, t), target = model.Schedule.Target(sample.Latents, noise, t);
        Tensor byOwn = sample.Predict(noisy, t, sample.Own), byOther = sample.Predict(noisy, t, sample.Other);
        float[] own = Loss(byOwn), other = Loss(byOther), none = Loss(sample.Predict(noisy, t, sample.Null));

        Tensor x = Centred(noisy), y = Centred(target); // (4, N h w)
        Tensor slope = (x * y).sum(1, keepdim: true) / x.Squared().sum(1, keepdim: true);
        return new ControlLosses(share, own, other, none, (y - slope * x).Squared().mean().item<float>(),
            (byOwn - byOther).Squared().mean().item<float>());

        float[] Loss(Tensor predicted) => (predicted - target).Squared().mean([1L, 2, 3]).cpu().data<float>().ToArray();
    }

    private static Tensor Centred(Tensor latents)
    {
        Tensor channels = latents.transpose(0, 1).reshape(latents.shape[1], -1);
        return channels - channels.mean([1L], keepdim: true);
    }
}
